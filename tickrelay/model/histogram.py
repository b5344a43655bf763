"""A distribution in plain integers, for metrics."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts observations by upper bounds, as Prometheus does: a bound counts what is not above it.

    *bounds*: ascending, in the unit of what is observed; whatever is above the last is counted beyond them.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Of each bound alone, not of those below it; the last: above all bounds."""
        self.total = 0.0
        """Sum of all observations."""

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
