"""When a symbol trades: weekly intervals, time zone, holidays and trading mode, as cTrader describes them.

Pure values; the time comes in as Unix seconds. The wall clock of the schedule's zone decides, so a change to or
from daylight-saving time moves the session with the exchange.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tickrelay.model.zones import Zones

DAY_S = 86_400
WEEK_S = 7 * DAY_S
_EPOCH = date(1970, 1, 1)
FIRST_DAY, LAST_DAY = (date.min - _EPOCH).days, (date.max - _EPOCH).days
"""The days (since 1970-01-01) that `Holiday.day` can be: years 1 to 9999."""


_zones = Zones(ZoneInfo)


def _end(start_s: int, end_s: int, period_s: int) -> int:
    """The exclusive end of an interval in *period_s* (a day or a week), as its server means it.

    One that is not after the start lies in the next period; a second before midnight stands for midnight.
    """
    if end_s % DAY_S == DAY_S - 1:
        end_s += 1
    return end_s if end_s > start_s else end_s + period_s


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day, or a part of it, on which the symbol does not trade.

    ``start_s`` and ``end_s`` are seconds from its midnight, end exclusive. An end that is not after the start lies on
    the next day, so 0 to 0 is the whole day: that is how brokers write one (other clients' experience).
    """

    day: int
    """Days since 1970-01-01, in the holiday's own zone; from `FIRST_DAY` to `LAST_DAY`."""
    recurring: bool = False
    """Every year on the same month and day."""
    start_s: int = 0
    end_s: int = DAY_S
    zone_name: str = "UTC"

    def covers(self, now_s: float) -> bool:
        """Is the moment (Unix seconds) inside the holiday? Not where its zone is unknown."""
        zone = _zones.find(self.zone_name, now_s)
        if zone is None:
            return False
        local = datetime.fromtimestamp(now_s, zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        end_s = _end(self.start_s, self.end_s, DAY_S)
        return (self.start_s <= second < end_s and self._is_on(local.date())) or (
            self.start_s <= second + DAY_S < end_s and self._is_on(local.date() - timedelta(days=1))
        )

    def _is_on(self, local: date) -> bool:
        when = _EPOCH + timedelta(days=self.day)
        return (local.month, local.day) == (when.month, when.day) if self.recurring else local == when


@dataclass(frozen=True, slots=True)
class Schedule:
    """The weekly trading hours of a symbol.

    ``intervals``: ``(start, end)`` in seconds from Sunday 00:00 on the wall clock of ``zone_name``, end exclusive; an
    end before the start lies in the next week, equal ones are no trading time. None at all, or a zone that is unknown,
    means that the hours are not known and the symbol counts as open.
    """

    intervals: tuple[tuple[int, int], ...] = ()
    zone_name: str = "UTC"
    holidays: Sequence[Holiday] = ()
    disabled: bool = False
    """The trading mode excludes all trading."""

    def is_known(self, now_s: float) -> bool:
        """Are the hours known at this moment (Unix seconds)?"""
        return bool(self.intervals) and _zones.find(self.zone_name, now_s) is not None

    def is_open(self, now_s: float) -> bool:
        """Does the symbol trade at this moment (Unix seconds)?"""
        if self.disabled:
            return False
        zone = _zones.find(self.zone_name, now_s) if self.intervals else None
        if zone is not None:
            local = datetime.fromtimestamp(now_s, zone)
            second = local.isoweekday() % 7 * DAY_S + local.hour * 3600 + local.minute * 60 + local.second
            if not any(_is_within(second, start, end) for start, end in self.intervals):
                return False
        return not any(holiday.covers(now_s) for holiday in self.holidays)


def _is_within(second: int, start: int, end: int) -> bool:
    """Is this second of the week inside an interval that is not empty?"""
    end_s = _end(start, end, WEEK_S)
    return start != end and (start <= second < end_s or start <= second + WEEK_S < end_s)


ALWAYS_OPEN = Schedule()
