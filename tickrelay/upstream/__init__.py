"""The cTrader session: one connection to the Open API, held for ever, and the symbols that clients want kept on it.

::

    service.py        UpstreamService: the IFeed that the composition starts and stops
      session.py      CTraderSession: what is done in each state       machine.py    which state follows which
      announcer.py    what the relay is told of it                     backoff.py    how long to wait, by cause
      watchdog.py        heartbeats, and the watch over the feed          liveness.py   its three clocks
      subscriptions.py  what clients want against what cTrader confirmed
      steps.py        application and account auth                     tokens.py     the access token and its renewal
      accounts.py     what the refusal of an account means
      events.py       what cTrader says of its own accord              symbols.py    the symbol table
      connection.py   the one connection, made and made again
      factory.py      the ReconnectingClientFactory                    tls.py        whom we trust
      protocol.py     one connection: frames in and out, events; the way of a tick
      requests.py     requests, their answers and deadlines
      pacing.py       the request budget         faults.py     every error code and what it asks for

A file imports only from those below it.
"""
