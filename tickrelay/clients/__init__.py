"""The WebSocket side: who may come in, what they ask, and what they are told besides ticks.

::

    factory    all clients together: admission, status broadcasts, the drain
      protocol   one connection: Autobahn's shell around an outbox and a session
        session    one client's requests against the hub
"""
