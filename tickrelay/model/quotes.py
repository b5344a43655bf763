"""A spot event as a value: what the simulated market makes, and what a recording plays."""

from dataclasses import dataclass

BID = 1
ASK = 2
BOTH = BID | ASK


@dataclass(slots=True)
class Quote:
    """A quote of one symbol, prices in 1/100000; ``changed``: which sides moved, `BID`, `ASK` or `BOTH`."""

    symbol_id: int
    time_ms: int
    """The server's own time, Unix milliseconds; 0: unknown."""
    bid: int
    ask: int
    changed: int
    session_close: int = 0
    """The previous session's close: on technical events only, 0 on the others."""
