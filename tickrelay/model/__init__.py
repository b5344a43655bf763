"""The values of the trade, and the interfaces between the ends: no reactor, no clock, no socket.

::

    feed       IFeed and IFeedListener: how the feed and the relay know each other
    ticks      symbols, ticks, prices as integers
    schedule   when a symbol trades
    zones      time zones by name
    quotes     a quote of the simulator or of a recording; not on the way of a tick
    status     the status that clients see, and the finer state of the session
    errors     close codes, error codes, the exceptions that cross floors
    periodic   jobs that are done every so many seconds
    clock      the one clock protocol
    histogram  a distribution in plain integers
    minute_counter  a counter that begins anew each minute

A file imports only from those below it.
"""
