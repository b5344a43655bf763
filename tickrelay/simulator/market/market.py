"""The simulated market: quotes of every instrument on seeded random walks, in the order of their time.

Pure: no timer, no clock. `Market.advance` takes the time and returns the quotes up to then. All instruments walk all
the time, subscribed or not, so that a price path depends on the seed and the start alone.
"""

import dataclasses
import heapq
import math
import random
from collections.abc import Callable, Sequence

from tickrelay.model.quotes import ASK, BID, BOTH, Quote
from tickrelay.model.ticks import PRICE_DIGITS, PRICE_SCALE
from tickrelay.simulator.market.activity import Burst, activity
from tickrelay.simulator.market.assets import AssetWalk, CommonMoves
from tickrelay.simulator.market.bars import day_end_s
from tickrelay.simulator.market.instruments import ASSETS, Instrument

CLOSED_CHECK_S = 30.0
"""How often the hours of a closed symbol are checked."""
CATCH_UP_S = 5.0
"""The most time caught up with at once (after a suspended machine); what lies further back is skipped."""
MOST_AT_ONCE = 10_000
"""Events of one call of `Market.advance`: at any rate the reactor gets its turn, and market time falls behind."""


class Listing:
    """One instrument in the market: its walk of quotes."""

    __slots__ = (
        "_base",
        "_burst",
        "_day_ends_s",
        "_points",
        "_quote_asset",
        "_rng",
        "_unit",
        "instrument",
        "is_open",
        "last",
        "pace",
        "session_close",
    )

    def __init__(
        self,
        instrument: Instrument,
        assets: dict[str, AssetWalk],
        seed: int,
        now_s: float,
        is_open: Callable[[float], bool],
    ) -> None:
        self.instrument = instrument
        self.is_open = is_open
        self.pace = instrument.events_per_s
        self._rng = random.Random(f"{seed}/{instrument.name}")
        self._base = assets[instrument.base]
        self._quote_asset = None if instrument.in_points else assets[instrument.quote]
        self._unit: int = 10 ** (PRICE_DIGITS - instrument.digits)
        self._points = instrument.spread_points
        self._burst = Burst(random.Random(f"{seed}/burst/{instrument.name}"), now_s)
        bid, ask = self._price(now_s)
        # The quote before the start is a little old, as it is on the live server.
        self.last = Quote(instrument.symbol_id, round((now_s - 60 * self._rng.random()) * 1000), bid, ask, BOTH)
        self._day_ends_s = day_end_s(now_s)
        self.session_close = max(self._unit, bid + self._rng.randint(-60, 60) * self._unit)

    def wait_s(self, now_s: float, rate: float) -> float:
        """How long until the next event: shorter in busy hours and in bursts."""
        pace = self.pace * rate * activity(self.instrument.hours, now_s) * self._burst.factor(now_s)
        return self._rng.expovariate(pace) if pace > 0 else CLOSED_CHECK_S

    def origin(self) -> tuple[int, int, float]:
        """The last bid in 1/100000, the size of a price step, the volatility of a year (of both assets together)."""
        own = ASSETS[self.instrument.base].volatility
        other = 0.0 if self._quote_asset is None else ASSETS[self.instrument.quote].volatility
        return self.last.bid, self._unit, math.hypot(own, other)

    def mid(self, now_s: float) -> float:
        """The middle price in units of price."""
        value = self._base.at(now_s)
        return value if self._quote_asset is None else value / self._quote_asset.at(now_s)

    def _price(self, now_s: float) -> tuple[int, int]:
        rng, unit = self._rng, self._unit
        mid = self.mid(now_s) * PRICE_SCALE / unit + 0.3 * (rng.random() - rng.random())
        # The spread breathes: wider when the asset is agitated and in quiet hours, never under one unit.
        calm = 0.75 + 0.5 * self._base.agitation + 0.3 * (rng.random() - 0.5)
        half = max(1.0, self._points * calm / (0.5 + 0.5 * activity(self.instrument.hours, now_s))) / 2
        bid = max(1, math.floor(mid - half + 0.5))
        return bid * unit, max(bid + 1, math.floor(mid + half + 0.5)) * unit

    def move(self, now_s: float) -> Quote:
        """The next quote. At least one side changes; often only one does."""
        last, unit, rng = self.last, self._unit, self._rng
        if now_s >= self._day_ends_s:
            self.session_close = last.bid
            self._day_ends_s = day_end_s(now_s)
        bid, ask = self._price(now_s)
        choice = rng.random()
        if choice < 0.35 and bid < last.ask:
            ask = last.ask
        elif choice < 0.6 and ask > last.bid:
            bid = last.bid
        if bid == last.bid and ask == last.ask:
            if ask - bid > unit and choice < 0.5:
                bid += unit
            else:
                ask += unit
        changed = (BID if bid != last.bid else 0) | (ASK if ask != last.ask else 0)
        self.last = quote = Quote(last.symbol_id, max(round(now_s * 1000), last.time_ms + 1), bid, ask, changed)
        return quote


class Market:
    """All listings, and when each is due. *hours* gives for an instrument whether it trades at a moment."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        seed: int,
        now_s: float,
        rate: float = 1.0,
        hours: Callable[[Instrument], Callable[[float], bool]],
    ) -> None:
        self.rate = rate
        self.catch_up_s = CATCH_UP_S
        self.shut = False
        """No symbol trades, whatever its hours (a fault)."""
        common = CommonMoves(seed, now_s)
        assets = {a.name: AssetWalk(a, common.of(a), seed, now_s) for a in ASSETS.values()}
        self.listings = {i.symbol_id: Listing(i, assets, seed, now_s, hours(i)) for i in instruments}
        self._now_s = now_s
        self._turns = [
            (now_s + one.wait_s(now_s, rate), one.instrument.symbol_id)
            for one in self.listings.values()
            if one.instrument.enabled
        ]
        heapq.heapify(self._turns)

    @property
    def next_s(self) -> float:
        """When the next event is due (Unix seconds)."""
        return self._turns[0][0] if self._turns else self._now_s + CLOSED_CHECK_S

    def origins(self) -> dict[int, tuple[int, int, float]]:
        """By id: the last bid in 1/100000, the size of a price step, the volatility of a year."""
        return {symbol_id: listing.origin() for symbol_id, listing in self.listings.items()}

    def technical(self, symbol_id: int) -> Quote | None:
        """The last quote, whether the symbol trades at the moment or not."""
        listing = self.listings[symbol_id]
        return dataclasses.replace(listing.last, changed=BOTH, session_close=listing.session_close)

    def subscribed(self, now_s: float, speed: float) -> None:
        """No effect: all instruments walk all the time."""

    def restart(self) -> None:
        """Draw every waiting time anew: after a change of rate, which would else take effect one event later."""
        self._turns = [
            (self._now_s + self.listings[symbol_id].wait_s(self._now_s, self.rate), symbol_id)
            for _, symbol_id in self._turns
        ]
        heapq.heapify(self._turns)

    def advance(self, now_s: float) -> list[Quote]:
        """Let the time come to *now_s*; the quotes since the last call, oldest first, but `MOST_AT_ONCE` at most."""
        quotes: list[Quote] = []
        turns, rate = self._turns, self.rate
        earliest = now_s - self.catch_up_s
        self._now_s = max(self._now_s, now_s)
        for _ in range(MOST_AT_ONCE):
            if not turns or turns[0][0] > now_s:
                break
            when, symbol_id = turns[0]
            when = max(when, earliest)
            listing = self.listings[symbol_id]
            if not self.shut and listing.is_open(when):
                quotes.append(listing.move(when))
                heapq.heapreplace(turns, (when + listing.wait_s(when, rate), symbol_id))
            else:
                heapq.heapreplace(turns, (when + CLOSED_CHECK_S, symbol_id))
        return quotes
