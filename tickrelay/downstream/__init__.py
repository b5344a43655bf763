"""The many WebSocket clients: their connections, their requests, and what they are sent besides ticks.

::

    service      the port, the periodic work, the stop
      factory      all connections; the hub's observer
        connection   one connection: the opening request, the read limit, the outbox, the close
          autobahn_adapter  all that is assumed about Autobahn's internals
          opening      the opening request: head, subprotocol, refusal
          reader       reads frames and has messages answered, in pieces of work of the ledger
            read_limiter how fast one client is read
          tcp          the socket, for sends that bypass the transport
          tls          the same over TLS
          session      one client: its token, and the answer to each request
            v1           the requests of v1
              subscribe_request    subscribe in v1
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
