"""A cTrader Open API server without a broker: the wire protocol, a market to look at, and faults on demand.

From the composition down; a module imports only from below its own place::

    service          listens with TLS, joins a relay to itself; uses certificates (authority and certificate)
    faults/          faults by name, their script, and the control endpoint
    framing/         TCP, WebSocket and JSON on one port: makes a session of each connection
    answers/         what each request is answered with
    session          one connection: authorization, limits, deadlines   (quota, envelopes, line, delay_line)
    broker           what all connections share: market, accounts, rules, subscriptions; the market's one timer
    spots            spot subscriptions and the bytes of their events
    accounts         the application, grants with their tokens, trading accounts
    settings         what the simulator is started with, by flags and TOML
    active_faults    the faults that are on, as values that sessions and the broker read
    market/          the random market, its catalogue, hours, history and depth
    peer             what broker, depth, answers and faults use of a session
    refusal          the exception that refuses a request, and the error that it becomes

Nothing here reads the machine's clock: timers run on the reactor or `Clock` passed in, Unix time comes from ``now``.
Where the live server is imitated, a comment names the source: the Open API documentation, or seen on the live server.
"""
