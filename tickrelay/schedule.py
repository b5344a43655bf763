"""When a symbol trades: weekly intervals, time zone, holidays and trading mode, as cTrader describes them.

Pure values; the time comes in as Unix seconds. The wall clock of the schedule's zone decides, so a change to or
from daylight-saving time moves the session with the exchange.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_S = 86_400
WEEK_S = 7 * DAY_S
_EPOCH = date(1970, 1, 1)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The zone called *name*; UTC where it is empty or unknown (a broker's spelling must not stop the feed)."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory, or too long for a file name
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day, or the seconds of it from ``start_s`` to ``end_s``, on which the symbol does not trade."""

    day: int
    """Days since 1970-01-01, in the holiday's own zone."""
    recurring: bool = False
    """Every year on the same month and day."""
    start_s: int = 0
    end_s: int = DAY_S
    zone_name: str = "UTC"

    def covers(self, now_s: float) -> bool:
        """Is the moment inside the holiday?"""
        local = datetime.fromtimestamp(now_s, zone(self.zone_name))
        when = _EPOCH + timedelta(days=self.day)
        same = (local.month, local.day) == (when.month, when.day) if self.recurring else local.date() == when
        return same and self.start_s <= local.hour * 3600 + local.minute * 60 + local.second < self.end_s


@dataclass(frozen=True, slots=True)
class Schedule:
    """The weekly trading hours of a symbol.

    ``intervals``: ``(start, end)`` in seconds from Sunday 00:00 on the wall clock of ``zone_name``, end exclusive;
    none at all means that nothing is known and the symbol counts as open.
    """

    intervals: tuple[tuple[int, int], ...] = ()
    zone_name: str = "UTC"
    holidays: Sequence[Holiday] = ()
    disabled: bool = False
    """The trading mode says that the symbol does not trade at all."""

    def is_open(self, now_s: float) -> bool:
        """Does the symbol trade at this moment (Unix seconds)?"""
        if self.disabled:
            return False
        if self.intervals:
            local = datetime.fromtimestamp(now_s, zone(self.zone_name))
            second = local.isoweekday() % 7 * DAY_S + local.hour * 3600 + local.minute * 60 + local.second
            if not any(start <= second < end for start, end in self.intervals):
                return False
        return not any(holiday.covers(now_s) for holiday in self.holidays)


ALWAYS_OPEN = Schedule()
