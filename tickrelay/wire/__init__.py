"""What clients send and get, as bytes and as values: no reactor, no clock, no socket.

::

    payload of a client's frame --encodings.parse--> requests.*          (BadRequest for whatever is wrong)
    Tick, messages.*            --encodings.tick/message--> a complete WebSocket frame

``requests`` and ``messages`` are the values of the protocol; the three encodings (``basic``, ``v1_json``,
``v1_protobuf``) say them as bytes; ``prices`` prints numbers, ``frames`` puts the WebSocket header in front.
"""
