"""Trading hours of the simulated broker's instruments, as the weekly schedules that cTrader sends.

Seconds count from Sunday 00:00 in the schedule's zone (Open API documentation). Each broker has a zone of its own;
New York is used here, where the FX day ends at 17:00.
"""

from dataclasses import dataclass, replace

from tickrelay.model.schedule import DAY_S, WEEK_S, Holiday, Schedule
from tickrelay.openapi.model_pb2 import ProtoOAInterval, ProtoOASymbol

NEW_YORK = "America/New_York"
_HOUR_S = 3600
SLOT_S = 30
"""Sessions begin and end on multiples of this, so one answer is good for a whole slot."""


class OpenHours:
    """A schedule read once a slot of 30 s: it is needed for every quote, and calendar arithmetic is slow."""

    __slots__ = ("_open", "_schedule", "_slot")

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._slot = -1
        self._open = False

    def __call__(self, now_s: float) -> bool:
        """Whether it trades at *now_s* (Unix seconds)."""
        slot = int(now_s // SLOT_S)
        if slot != self._slot:
            self._slot = slot
            self._open = self._schedule.is_open(slot * SLOT_S)
        return self._open


@dataclass(frozen=True, slots=True)
class Named:
    """A holiday and what it is called."""

    name: str
    holiday: Holiday


_CHRISTMAS = Named("Christmas Day", Holiday(20_447, recurring=True, zone_name=NEW_YORK))  # 2025-12-25
_NEW_YEAR = Named("New Year's Day", Holiday(20_454, recurring=True, zone_name=NEW_YORK))  # 2026-01-01
_EVE = Named("Christmas Eve, early close", Holiday(20_446, True, 13 * _HOUR_S, DAY_S, NEW_YORK))


def _daily(start_s: int, end_s: int) -> tuple[tuple[int, int], ...]:
    """One interval a day from Sunday evening on; *end_s* may lie in the next day. Real servers do not merge them."""
    return tuple((day * DAY_S + start_s, day * DAY_S + end_s) for day in range(5))


ROUND_THE_CLOCK = Schedule(((0, WEEK_S),), "UTC")

_WEEKS = {
    # Sunday 17:05 to Friday 16:55, with a break of ten minutes at the turn of the day; the others start later.
    "forex": Schedule(_daily(17 * _HOUR_S + 300, 40 * _HOUR_S + 3300), NEW_YORK),
    "metals": Schedule(_daily(18 * _HOUR_S, 40 * _HOUR_S + 3300), NEW_YORK),
    "energies": Schedule(_daily(18 * _HOUR_S, 40 * _HOUR_S + 3300), NEW_YORK),
    "indices": Schedule(_daily(18 * _HOUR_S, 40 * _HOUR_S + 900), NEW_YORK),
    "crypto": ROUND_THE_CLOCK,
}

HOLIDAYS = {
    "forex": (_CHRISTMAS, _NEW_YEAR),
    "metals": (_CHRISTMAS, _NEW_YEAR),
    "energies": (_CHRISTMAS, _NEW_YEAR),
    "indices": (_EVE, _CHRISTMAS, _NEW_YEAR),
    "crypto": (),
}
"""Kind of instrument -> its holidays."""

HOURS = {kind: replace(week, holidays=tuple(n.holiday for n in HOLIDAYS[kind])) for kind, week in _WEEKS.items()}
"""Kind of instrument -> its week; crypto trades round the clock."""


def shut(symbol: ProtoOASymbol) -> ProtoOASymbol:
    """The symbol with hours of one second a week.

    Clients take a symbol whose schedule has no intervals for open: one second a week is left, the last before Sunday.
    """
    closed = ProtoOASymbol()
    closed.CopyFrom(symbol)
    del closed.schedule[:]
    closed.schedule.append(ProtoOAInterval(startSecond=WEEK_S - 1, endSecond=WEEK_S))
    return closed
