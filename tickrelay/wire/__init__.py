"""The client protocol, as bytes and as values: no reactor, no clock, no socket.

::

    payload of a client's frame --encodings.parse--> requests.*          (BadRequest for whatever is wrong)
    Tick, messages.*            --encodings.tick/message--> a complete WebSocket frame

    requests       what clients send, as typed values with their bounds
    messages       what the server sends besides ticks, as typed values
    parts          the typed values inside of those messages
    encodings      the interface of an encoding, and the three that there are:
      basic          JSON with the fields of 26.11.0's basic clients
      v1_json        v1 in JSON
      v1_protobuf    v1 in Protobuf
    symbol_list    the answer to getSymbols in pieces, the list encoded once
    json_requests  JSON to requests: leniently for basic, strictly for v1
    protobuf       Protobuf to requests, and messages to Protobuf
    tickrelay_pb2  what protoc makes of ``proto/tickrelay.proto``
    prices         integer prices as decimals, cached
    frames         the WebSocket frame header
"""
