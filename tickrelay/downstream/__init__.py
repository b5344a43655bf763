"""The WebSocket side: who may come in, what they ask, and what they are told besides ticks.

::

    factory    all clients together: status broadcasts, the drain
      admission  which connections there are, and how many more there may be
      refusals   why connections are refused: close codes, log lines, counts
      protocol   one connection: Autobahn's shell around an outbox and a session
        opening    what its opening request asks for
        session    one client's requests against the hub
"""
