"""A cTrader Open API server without a broker: the wire protocol, a market to look at, and faults on demand.

::

    service      listens with TLS; certificates makes the authority and the certificate
    door         one port, all framings: TCP (protocol), WebSocket (web_socket), JSON (json_line, json_codec)
    factory      the TCP framing alone, for use without sockets
    session      one connection: who is it, what may it ask, when is it cut off        (quota, lag, line)
    answers/     what each request gets
    broker        what all connections share: source, accounts, rules, subscriptions; the market's one timer
    source       where quotes come from: the random market (broker: market, assets, moods, instruments, hours,
                 catalogue), or a recording
    history      ticks and bars that were made (bars), and those from before the start (prehistory); depth
    accounts     applications, grants (tokens), trading accounts
    faults       by name; faults_sudden, faults_lasting, their script, and the control endpoint
    settings     what it is started with; reading makes them of text

Nothing here reads the clock of the machine: time comes from the reactor or `Clock` handed in, and from ``now``
(Unix seconds). What is known of the real server's behaviour, and from where, is said where it is imitated.
"""
