"""The cTrader Open API as bytes and values.

::

    frames       the length prefix, the envelope, text that may not be UTF-8
    registry     every payload type by number, name or class; its answer, and whether it asks for history
    messages_pb2, model_pb2, common_pb2, common_model_pb2
                 generated from the schema by ``make proto``

A file imports only from those below it.
"""
