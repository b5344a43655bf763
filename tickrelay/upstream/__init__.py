"""The cTrader session: one connection to the Open API, held for ever, and the symbols that clients want kept on it.

```
service.py        UpstreamService: the IFeed that the composition starts and stops
  session.py      CTraderSession: what is done in each state       machine.py   which state follows which
  steps.py        the way to live: application, account, symbols   backoff.py   how long to wait, by cause
  subscriptions.py  what clients want against what cTrader confirmed
  symbols.py      the symbol book            tokens.py     the access token and its renewal
  liveness.py     link, data and each symbol: three clocks
  factory.py      the ReconnectingClientFactory               tls.py   whom we trust
  protocol.py     one connection: frames, requests and answers, events; the way of a tick
  pacing.py       the request budget         faults.py     every error code and what it asks for
```
A file imports only from those below it.
"""
