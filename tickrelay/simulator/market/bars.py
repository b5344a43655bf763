"""Trend bars: their periods, and how bars of bids are made of quotes and of smaller bars.

Bars count time in minutes since 1970. Days begin at 17:00 in New York (so do the periods of 4 and 12 hours that divide
them), weeks on Sunday at that hour. Volume counts changes of a side, so a quote that changes both counts twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from tickrelay.model.quotes import BOTH, Quote
from tickrelay.model.zones import Zones
from tickrelay.openapi.model_pb2 import ProtoOATrendbar, ProtoOATrendbarPeriod

MINUTES: dict[int, int] = {
    ProtoOATrendbarPeriod.M1: 1,
    ProtoOATrendbarPeriod.M2: 2,
    ProtoOATrendbarPeriod.M3: 3,
    ProtoOATrendbarPeriod.M4: 4,
    ProtoOATrendbarPeriod.M5: 5,
    ProtoOATrendbarPeriod.M10: 10,
    ProtoOATrendbarPeriod.M15: 15,
    ProtoOATrendbarPeriod.M30: 30,
    ProtoOATrendbarPeriod.H1: 60,
    ProtoOATrendbarPeriod.H4: 240,
    ProtoOATrendbarPeriod.H12: 720,
    ProtoOATrendbarPeriod.D1: 1440,
    ProtoOATrendbarPeriod.W1: 10_080,
    ProtoOATrendbarPeriod.MN1: 43_200,
}
"""Length of each period; of a month, roughly."""
HOUR = 60

_NEW_YORK = Zones(ZoneInfo).find("America/New_York", 0.0) or UTC
_CLOSE_HOUR = 17


@dataclass(slots=True)
class Bar:
    """One bar of bids, prices in 1/100000."""

    minute: int
    open: int
    high: int
    low: int
    close: int
    volume: int

    def add(self, quote: Quote) -> None:
        """One more quote inside the bar."""
        bid = quote.bid
        if bid > self.high:
            self.high = bid
        elif bid < self.low:
            self.low = bid
        self.close = bid
        self.volume += 2 if quote.changed == BOTH else 1

    def extend(self, later: "Bar") -> None:
        """Append a smaller bar that follows."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume

    def live(self, period: int) -> ProtoOATrendbar:
        """As it comes in spot events: with its period, without deltaClose (the event's bid is the close)."""
        return ProtoOATrendbar(
            volume=self.volume,
            period=cast(ProtoOATrendbarPeriod, period),
            low=self.low,
            deltaOpen=self.open - self.low,
            deltaHigh=self.high - self.low,
            utcTimestampInMinutes=self.minute,
        )

    def historical(self) -> ProtoOATrendbar:
        """As it comes in history: without its period, with deltaClose."""
        return ProtoOATrendbar(
            volume=self.volume,
            low=self.low,
            deltaOpen=self.open - self.low,
            deltaClose=self.close - self.low,
            deltaHigh=self.high - self.low,
            utcTimestampInMinutes=self.minute,
        )


def opening(quote: Quote, minute: int) -> Bar:
    """The bar that a quote begins."""
    return Bar(minute, quote.bid, quote.bid, quote.bid, quote.bid, 2 if quote.changed == BOTH else 1)


def start_of(period: int, minute: int) -> int:
    """The minute at which the bar of *period* begins that *minute* lies in."""
    length = MINUTES[period]
    if length <= HOUR:
        return minute - minute % length
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(_NEW_YORK)
    day = local.replace(hour=_CLOSE_HOUR, minute=0, second=0, microsecond=0)
    if local < day:
        day -= timedelta(days=1)
    if period == ProtoOATrendbarPeriod.W1:
        day -= timedelta(days=day.isoweekday() % 7)
    elif period == ProtoOATrendbarPeriod.MN1:
        # The month that the trading day belongs to: the one of the next morning.
        day = (day + timedelta(days=1)).replace(day=1) - timedelta(days=1)
    start = int(day.timestamp()) // 60
    return start if length >= 1440 else start + (minute - start) // length * length


def day_end_s(now_s: float) -> float:
    """When the trading day of this moment ends (Unix seconds)."""
    start = start_of(ProtoOATrendbarPeriod.D1, int(now_s) // 60)
    return start_of(ProtoOATrendbarPeriod.D1, start + 36 * HOUR) * 60.0  # a day has 23 to 25 hours


def gathered(bars: Iterable[Bar], period: int) -> list[Bar]:
    """Bars of a longer period, from smaller ones in order."""
    found: list[Bar] = []
    for bar in bars:
        start = start_of(period, bar.minute)
        if found and found[-1].minute == start:
            found[-1].extend(bar)
        else:
            found.append(Bar(start, bar.open, bar.high, bar.low, bar.close, bar.volume))
    return found
