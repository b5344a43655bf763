"""Bars from before the simulator was started: computed from the seed on demand, none is stored.

The closes of a symbol follow a Brownian path that can be read at any minute (each midpoint of an interval is drawn
from the interval's own hash), so that bars of all periods agree on where they open and close. How far a bar
reaches above and below is drawn for each bar alone.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from tickrelay.simulator.market.bars import MINUTES, Bar, start_of

_SPAN = 1 << 23
"""Minutes that the path reaches back: sixteen years."""
_MASK = (1 << 64) - 1


def _normal(seed: int, key: int) -> float:
    """A number that looks normally distributed and follows from its arguments: the sum of four uniform ones."""
    z = (seed * 0x9E3779B97F4A7C15 + key * 0xD1B54A32D192ED03 + 0x2545F4914F6CDD1D) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    z ^= z >> 31
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)
    return (total / 65_536 - 2.0) * 1.7320508


@lru_cache(maxsize=65_536)
def _path(seed: int, low: int, high: int) -> float:
    """The path in the middle of (low, high), a dyadic interval."""
    middle = (low + high) // 2
    mean = (_at(seed, low) + _at(seed, high)) / 2
    return mean + math.sqrt((high - low) / 4) * _normal(seed, middle)


def _at(seed: int, minutes_back: int) -> float:
    if minutes_back <= 0:
        return 0.0
    if minutes_back >= _SPAN:
        return math.sqrt(_SPAN) * _normal(seed, _SPAN)
    half = minutes_back & -minutes_back  # the interval whose middle this is
    return _path(seed, minutes_back - half, minutes_back + half)


class Backfill:
    """*symbols*: id -> (bid at the start in 1/100000, size of a price step, volatility of a year)."""

    def __init__(
        self,
        seed: int,
        start_minute: int,
        symbols: Mapping[int, tuple[int, int, float]],
        is_open: Callable[[int, float], bool],
    ) -> None:
        self.start_minute = start_minute
        self._seed = seed
        self._symbols = symbols
        self._is_open = is_open

    def price(self, symbol_id: int, minute: int) -> int:
        """The bid at a minute before the start."""
        bid, unit, volatility = self._symbols[symbol_id]
        seed = self._seed * 1_000_003 + symbol_id
        moved = bid * math.exp(volatility / math.sqrt(525_960) * _at(seed, self.start_minute - minute))
        return max(unit, round(moved / unit) * unit)

    def bars(self, symbol_id: int, period: int, from_minute: int, last_start: int, most: int) -> list[Bar]:
        """At most *most* bars that start at *last_start* or before, oldest first."""
        if symbol_id not in self._symbols:
            return []
        length = MINUTES[period]
        found: list[Bar] = []
        start = last_start
        end = min(start_of(period, start + length + length // 2), self.start_minute)  # days and months differ in length
        close = self.price(symbol_id, end)
        looked = 0
        while len(found) < most and start >= from_minute and self.start_minute - start < _SPAN and looked < 4 * most:
            looked += 1
            if start < self.start_minute:
                first = self.price(symbol_id, start)
                if length > 60 or self._is_open(symbol_id, start * 60.0):
                    found.append(self._bar(symbol_id, start, end, first, close))
                end, close = start, first
            start = start_of(period, start - 1)
        return found[::-1]

    def _bar(self, symbol_id: int, start: int, end: int, first: int, last: int) -> Bar:
        bid, unit, volatility = self._symbols[symbol_id]
        seed = self._seed * 1_000_003 + symbol_id
        reach = bid * volatility * math.sqrt((end - start) / 525_960) * 0.6
        up, down = (round(reach * abs(_normal(seed, -4 * start - n)) / unit) * unit for n in (1, 2))
        return Bar(
            start,
            first,
            max(first, last) + up,
            max(unit, min(first, last) - down),
            last,
            max(1, round(30 * (end - start) * (0.5 + abs(_normal(seed, -4 * start - 3))))),
        )
