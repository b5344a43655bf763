"""The many WebSocket clients: their connections, their requests, and what they are sent besides ticks.

::

    service      the port, the periodic work, the stop
      factory      all connections; the hub's observer
        connection   one connection from the opened WebSocket to its close: session, outbox, pings
          autobahn_adapter  Autobahn's internals; the answer to the opening request
          opening      the opening request: which encoding, or refusal (its head: front/)
          reader       reads frames and has messages answered, in pieces of work of the ledger
            read_limiter how fast one client is read
          tcp          the client's socket: options, and how far the client has read
          tls          sends to TLS clients (their handshake: front/)
          session      one client: its token, and the answer to each request
            v1           the requests of v1
              subscribe_request    subscribe in v1, with resume and snapshot
              unsubscribe_request  unsubscribe in v1
            basic        subscribe and unsubscribe in basic
    context      what all sessions share
      broadcasts     messages to many clients, a slice in each turn of the reactor
      notifications  what is sent without a request: statuses, heartbeats, market states, notices
      diagnostics    what is known of a symbol, and why a client gets no ticks of it
      symbol_list    the list in the answer to getSymbols, encoded once for all
      directory      symbols by the names that clients use
      tokens         the file of tokens, and the ways to show one
      results        answers as values, and the steps in which long ones are made

A module imports only from modules below or beside its own branch, never in a circle. Requests are answered with values
(`results.Answer`); the session alone writes them.
"""
