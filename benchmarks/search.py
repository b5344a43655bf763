"""Finds the highest rate a session sustains: doubling until it does not, then halving the interval."""

import math
from dataclasses import dataclass

from benchmarks.processes import BenchError
from benchmarks.session import Reading, Session

CEILING = 3_200_000
"""Deliveries a second at which the load generator ends."""
FLOOR = 5_000


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
        if seen.sustained:
            best = seen if best is None or seen.rate > best.rate else best
            if offered >= CEILING or seen.starved:
                return Maximum(best.rate, True, best)
        else:
            lowest_failed = offered
            by_load = seen.starved
            try:
                session.calm()
            except BenchError:
                break  # so far behind that the next rate could not be judged
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
