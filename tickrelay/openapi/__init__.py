"""The cTrader Open API, as bytes and as values: no reactor, no socket.

::

    frames      bytes <-> frame <-> envelope <-> message
    registry    every payload type, by number, name or message class
    messages_pb2, model_pb2, common_pb2, common_model_pb2    what protoc makes of the files in ``proto/``
"""
