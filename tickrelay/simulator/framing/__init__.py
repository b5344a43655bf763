"""The framings of the simulator's ports, each a `tickrelay.simulator.line.Line` with a session.

::

    protocol_switch    chooses the framing of a connection by its first byte
    protocol           TCP: frames behind a 4-byte length
    json_line          TCP on the JSON port: objects in a stream, or behind a 4-byte length
    web_socket         WebSocket on either port: one envelope or one object a message
    json_codec         JSON messages to envelopes and back
    factory            the TCP framing alone, for use without sockets
"""
