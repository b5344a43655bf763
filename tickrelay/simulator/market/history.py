"""Ticks and bars made of the quotes that were sent, so that history agrees with them.

Bounded: the oldest ticks and bars of a symbol are dropped. Bars from before the start come from
`tickrelay.simulator.market.backfill`; ticks from before it there are none.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import chain

from tickrelay.model.quotes import ASK, BID, Quote
from tickrelay.simulator.market.backfill import Backfill
from tickrelay.simulator.market.bars import HOUR, MINUTES, Bar, gathered, opening, start_of

TICKS_KEPT = 10_000
MINUTE_BARS_KEPT = 4_320
HOUR_BARS_KEPT = 2_000


class Ticks:
    """The changes of one side of one symbol, oldest first."""

    __slots__ = ("prices", "times_ms")

    def __init__(self) -> None:
        self.times_ms = array("q")
        self.prices = array("q")

    def add(self, time_ms: int, price: int) -> None:
        """One more; now and then the older half goes."""
        self.times_ms.append(time_ms)
        self.prices.append(price)
        if len(self.prices) >= 2 * TICKS_KEPT:
            del self.times_ms[:TICKS_KEPT]
            del self.prices[:TICKS_KEPT]

    def newest(self, from_ms: int, to_ms: int, most: int) -> tuple[list[tuple[int, int]], bool]:
        """The newest ticks of a span, newest first, and whether there are more."""
        first = bisect_left(self.times_ms, from_ms)
        last = bisect_right(self.times_ms, to_ms)
        begin = max(first, last - most)
        found = list(zip(self.times_ms[begin:last], self.prices[begin:last], strict=True))
        return found[::-1], begin > first


class SymbolHistory:
    """Ticks and bars of one symbol."""

    __slots__ = ("_hour", "_hours", "_minute", "_minutes", "_partial", "sides")

    def __init__(self) -> None:
        self.sides = {BID: Ticks(), ASK: Ticks()}
        self._minute: Bar | None = None
        self._minutes: deque[Bar] = deque(maxlen=MINUTE_BARS_KEPT)
        self._hour: Bar | None = None
        self._hours: deque[Bar] = deque(maxlen=HOUR_BARS_KEPT)
        self._partial: dict[int, tuple[int, Bar | None]] = {}

    def add(self, quote: Quote, time_ms: int) -> None:
        """One more quote, at its time."""
        if quote.changed & BID:
            self.sides[BID].add(time_ms, quote.bid)
        if quote.changed & ASK:
            self.sides[ASK].add(time_ms, quote.ask)
        minute = time_ms // 60_000
        if self._minute is not None and self._minute.minute >= minute:
            self._minute.add(quote)
        else:
            self._close_minute()
            self._minute = opening(quote, minute)

    def _close_minute(self) -> None:
        closed = self._minute
        if closed is None:
            return
        self._minutes.append(closed)
        start = closed.minute - closed.minute % HOUR
        if self._hour is not None and self._hour.minute == start:
            self._hour.extend(closed)
        else:
            if self._hour is not None:
                self._hours.append(self._hour)
            self._hour = Bar(start, closed.open, closed.high, closed.low, closed.close, closed.volume)

    def live(self, period: int) -> Bar | None:
        """The unfinished bar of *period*; None before the first quote."""
        now = self._minute
        if now is None:
            return None
        # What came before this minute is gathered once a minute, not for each quote.
        made_at, before = self._partial.get(period, (0, None))
        if made_at != now.minute:
            start = start_of(period, now.minute)
            bars = [bar for bar in self.bars(period, now.minute - 1) if bar.minute == start]
            before = bars[-1] if bars else None
            self._partial[period] = now.minute, before
        if before is None:
            return Bar(start_of(period, now.minute), now.open, now.high, now.low, now.close, now.volume)
        bar = Bar(before.minute, before.open, before.high, before.low, before.close, before.volume)
        bar.extend(now)
        return bar

    def bars(self, period: int, last_minute: int) -> list[Bar]:
        """Every bar of *period* that was made of quotes, oldest first, up to *last_minute*."""
        minutes = list(self._minutes)
        if self._minute is not None:
            minutes.append(self._minute)
        whole: Sequence[Bar] = ()
        if MINUTES[period] > HOUR and self._hours:
            whole = self._hours
            minutes = [bar for bar in minutes if bar.minute >= whole[-1].minute + HOUR]
        return gathered(chain(whole, (bar for bar in minutes if bar.minute <= last_minute)), period)


class History:
    """The history of all symbols. Takes every quote before it is sent."""

    def __init__(self, backfill: Backfill | None) -> None:
        self._backfill = backfill
        self._symbols: dict[int, SymbolHistory] = {}

    def quotes(self, quotes: Sequence[Quote], now_ms: int) -> None:
        """Take in the quotes of a turn; one without a time of its own counts as of now."""
        for quote in quotes:
            self.of(quote.symbol_id).add(quote, quote.time_ms or now_ms)

    def of(self, symbol_id: int) -> SymbolHistory:
        """One symbol's history."""
        found = self._symbols.get(symbol_id)
        if found is None:
            found = self._symbols[symbol_id] = SymbolHistory()
        return found

    def bars(self, symbol_id: int, period: int, from_minute: int, to_minute: int, most: int) -> list[Bar]:
        """At most so many bars, counted back from *to_minute*, oldest first; one of the first may be cut in two by
        the start of the simulator, and is joined.
        """
        found = [bar for bar in self.of(symbol_id).bars(period, to_minute) if bar.minute >= from_minute][-most:]
        if self._backfill is None:
            return found
        earliest = self._backfill.start_minute
        join = start_of(period, min(found[0].minute, to_minute) if found else min(earliest, to_minute))
        older = self._backfill.bars(symbol_id, period, max(from_minute, 0), join, most - len(found) + 1)
        if found and older and older[-1].minute == found[0].minute:
            older[-1].extend(found.pop(0))
        return (older + found)[-most:]
