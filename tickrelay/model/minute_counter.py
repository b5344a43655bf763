"""A counter that begins anew each minute: for what may happen, or be logged, so many times in it."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

WINDOW_S = 60.0

K = TypeVar("K", bound=Hashable)


class MinuteCounter(Generic[K]):
    """Counts by kind. *monotonic_s*: seconds of a clock that never steps."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._ends_s = 0.0
        self._seen: Counter[K] = Counter()

    def __len__(self) -> int:
        """How many kinds were counted in this minute."""
        return len(self._seen)

    def ended(self) -> Mapping[K, int]:
        """Begin another minute if the present one is over; returns the counts of the one that has ended, else none.

        To be called before each `add`. The counts are taken away first: a signal handler may call this in the middle.
        """
        now_s = self._monotonic_s()
        if now_s < self._ends_s:
            return {}
        self._ends_s = now_s + WINDOW_S
        seen, self._seen = self._seen, Counter()
        return seen

    def add(self, kind: K) -> int:
        """Count one of *kind*; returns how many there were in this minute."""
        self._seen[kind] += 1
        return self._seen[kind]
