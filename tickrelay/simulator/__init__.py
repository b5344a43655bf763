"""A cTrader Open API server without a broker: the wire protocol, a market to look at, and faults on demand.

::

    service      listens with TLS; certificates makes the authority and the certificate
    factory      one protocol a connection           (protocol: TCP frames)
    session      one connection: who is it, what may it ask, what did it subscribe
    answers/     what each request gets
    world        what all connections share: market, accounts, rules, subscriptions; the market's one timer
    market       quotes from one seed                (instruments, hours: the catalogue)
    accounts     applications, grants (tokens), trading accounts

Nothing here reads the clock of the machine: time comes from the reactor or `Clock` handed in, and from ``now``
(Unix seconds). What is known of the real server's behaviour, and from where, is said where it is imitated.
"""
