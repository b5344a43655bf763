"""Finds the highest rate a session sustains: doubling until it does not, then halving the interval.

A rate at which the load generator was at its end says little of the server: one that sends a piece a tick may fail at
a middling rate, and pass at a higher one, where its own pieces grow. As long as most of what was offered arrives, the
search goes on upwards.
"""

import math
from dataclasses import dataclass

from benchmarks.processes import BenchError
from benchmarks.session import Reading, Session

CEILING = 9_000_000
"""Deliveries a second beyond which no rate is tried."""
FLOOR = 5_000
MOSTLY = 0.8


@dataclass(frozen=True)
class Maximum:
    """The highest delivered rate that was sustained; ``at_least`` if the load generator ended first."""

    rate: float
    at_least: bool
    reading: Reading | None


def max_sustained(session: Session, seconds: float, hint: float = 0.0) -> Maximum:
    """Raise the rate until the session fails; a hint (an earlier result) saves steps."""
    best: Reading | None = None
    offered = min(max(hint * 0.85, FLOOR), CEILING) if hint else 100_000.0
    growth = 1.25 if hint else 2.0
    lowest_failed = math.inf
    by_load = False
    for _ in range(12):
        session.offer(offered)
        seen = session.measure(seconds)
        by_load = seen.starved
        if seen.sustained:
            best = seen if best is None or seen.rate > best.rate else best
            if offered >= CEILING:
                return Maximum(best.rate, True, best)
        else:
            try:
                session.calm()
            except BenchError:
                break  # so far behind that the next rate could not be judged
            if seen.starved and seen.rate > MOSTLY * offered and offered < CEILING:
                offered = min(offered * 2, CEILING)
                continue
            lowest_failed = offered
        low = best.offered if best else 0.0
        if math.isinf(lowest_failed):
            offered = min(offered * growth, CEILING)
        elif not best:
            offered /= 2
            if offered < FLOOR:
                break
        elif lowest_failed / low < 1.08:
            break
        else:
            offered = math.sqrt(low * lowest_failed)
    return Maximum(best.rate if best else 0.0, by_load, best)
