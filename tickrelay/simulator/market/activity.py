"""The market's activity: its level by hour of the day, and bursts (news, a large order) of some seconds."""

import random

_HOURS = {
    # Activity by hour of the day in UTC, 1 at its busiest: Asia, then London, then New York.
    "forex": (0.35, 0.4, 0.4, 0.35, 0.3, 0.35, 0.5, 0.8, 0.9, 0.85, 0.75, 0.75, 0.9, 1.0, 1.0, 1.0, 0.9, 0.7, 0.55,
              0.5, 0.4, 0.3, 0.25, 0.3),
    "metals": (0.45, 0.5, 0.5, 0.45, 0.4, 0.4, 0.5, 0.7, 0.8, 0.75, 0.7, 0.75, 0.9, 1.0, 1.0, 1.0, 0.85, 0.7, 0.5,
               0.45, 0.4, 0.3, 0.3, 0.4),
    "indices": (0.4, 0.45, 0.4, 0.35, 0.3, 0.35, 0.5, 0.75, 0.8, 0.7, 0.6, 0.65, 0.75, 0.9, 1.0, 1.0, 0.95, 0.8, 0.75,
                0.8, 0.7, 0.3, 0.3, 0.35),
}  # fmt: skip
_EVEN = (0.8,) * 24
_BURST_EVERY_S = 600.0
_BURST_LASTS_S = 4.0


def activity(kind: str, now_s: float) -> float:
    """How busy instruments of *kind* are at this moment: 1 at the busiest hour."""
    return _HOURS.get(kind, _EVEN)[int(now_s // 3600) % 24]


class Burst:
    """Raises a symbol's event rate by 3 to 12 times for 4 s, every 10 minutes, on average."""

    __slots__ = ("_ends_s", "_rng", "_size", "_starts_s")

    def __init__(self, rng: random.Random, now_s: float) -> None:
        self._rng = rng
        self._size = 1.0
        self._ends_s = 0.0
        self._starts_s = now_s + rng.expovariate(1 / _BURST_EVERY_S)

    def factor(self, now_s: float) -> float:
        """The factor of the event rate at *now_s*, which must not decrease between calls; 1 outside bursts."""
        if now_s < self._starts_s:
            return 1.0
        if self._ends_s < self._starts_s:
            self._ends_s = self._starts_s + self._rng.expovariate(1 / _BURST_LASTS_S)
            self._size = 3.0 + 9.0 * self._rng.random()
        if now_s < self._ends_s:
            return self._size
        self._starts_s = now_s + self._rng.expovariate(1 / _BURST_EVERY_S)
        return 1.0
