"""The clients' port: one listener for WebSocket and HTTP. Reads each request's head, strictly and within bounds.

::

    factory       what listens
      connection  one connection, from the accept until it belongs to the WebSocket protocol, or is gone
        http      what twisted.web's channel takes for its transport
        tls       TLS handshakes, measured and in turn
        reader    collects the bytes of a head
          head    parses it, and says what is wrong with it
          upgrade the same of what WebSocket asks of a head
        peer      whom it is counted to, and who pays for it
          proxies the client's address, where a trusted proxy is in front
    shared        what all connections have in common

After a WebSocket handshake nothing of this room is left on the way of a read or a write. What makes the protocol of a
WebSocket client, and what makes a channel of twisted.web, is handed in (`factory.FrontFactory`).
"""
