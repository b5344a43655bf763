"""What the project exists for: one tick in, the same bytes out to everyone who asked.

::

    spot -> channel -> (end of the turn) -> block per symbol -> cohort -> outbox -> socket
            last value                     encoded once        joined once   one send
            sequence, history              per encoding        per cohort    per client

A client that keeps up is a member of a cohort and shares its bytes. One that does not, is paused, or asked for a
lower rate, stands outside: for each of its symbols only the sequence number it got last is kept, and it catches up
with one frame a symbol, the newest. So a slow client costs nothing per tick and holds no ticks.
"""
