"""The cTrader session: one connection to the Open API, kept up for the lifetime of the service, and the spot
subscriptions that clients want on it.

::

    service          UpstreamService: the IFeed that the composition starts and stops
    session          CTraderSession: what is done in each state of the machine
    status_reporter    states and causes as the status that clients see
    watchdog           heartbeats, and the checks of link and data
    liveness             their clocks, without a timer
    subscriptions      what clients want against what cTrader confirmed
    spot_requests        the requests of one authorised connection that make them equal
    logon              the steps from a secured connection to a loaded symbol table, under one deadline
    symbol_loader        the symbol table, kept up to date
    symbol_table           every symbol of the account, by name and by id
    symbol_values            what the server says of a symbol, bounded
    authorization        application and account authorisation
    tokens                 the access token, its file and its renewal
    server_events      messages that answer no request: loss events, changed symbols, errors
    limited_log        log lines that the server can cause, a bounded number a minute
    backoff            how long to wait before the next connection, by cause
    timers             timers by name
    connection         the one connection, made and made again; the ReconnectingClientFactory
    tls                  which certificates are trusted
    protocol             one connection: frames in and out; the way of a tick
    allow_list             the messages that the relay may send
    flood_guard            how much a server may send that is neither a tick nor an answer
    event_listeners        who is called with which event
    requests               requests, their answers and deadlines
    request_limiter        how many leave in a second, and which first
    reactions          error and state -> what to do
    machine            the states, and which follows which
    causes             error -> why the session ended, for people
    errors             cTrader's error codes by class, exceptions, causes as values
    counters           what is counted

A file imports only from those below it.
"""
