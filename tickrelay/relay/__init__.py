"""The relay proper: a tick comes in, and the same bytes go out to every client that subscribes its symbol.

::

    spot -> channel -> (end of the turn) -> block per symbol -> cohort -> outbox -> socket
            last value                     encoded once        joined once   one send
            sequence, history              per encoding        per cohort    per client

::

    hub            subscriptions: symbols to channels, channels to subscribers; gaps; what may be replayed
      fanout         batches ticks per reactor turn, sends per cohort; slow clients: behind, caught up, closed
        conflator      rates that clients asked for: the newest ticks, one timer per rate
        cohort         subscribers that get identical bytes, grouped by encoding
      gaps           sends the declaration of a gap
      subscriber     one client: its channels, rates and positions
        outbox         one client's bytes and backpressure, and their bound
      channel        one symbol: last tick, sequence number, history
    replay_cache   frames of replayed ticks, for all clients that resume at about the same time

A client that keeps up is a member of a cohort and shares its bytes. For one that does not, is paused, or asked for a
lower rate, only the sequence number of its last tick of each symbol is kept; it catches up with one frame per symbol,
the newest tick. So a slow client costs nothing per tick and buffers no ticks.
"""
