"""Trading hours: the wall clock of the schedule's zone decides, holidays and trading mode overrule."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.schedule import ALWAYS_OPEN, DAY_S, WEEK_S, Holiday, Schedule, zone

NEW_YORK = ZoneInfo("America/New_York")
HOUR_S = 3600


def at(zone: ZoneInfo, *moment: int) -> float:
    """Unix seconds of a wall-clock moment."""
    return datetime(*moment, tzinfo=zone).timestamp()  # type: ignore[arg-type, misc]


def day(year: int, month: int, number: int) -> int:
    """Days since 1970."""
    return (date(year, month, number) - date(1970, 1, 1)).days


def test_recorded_interval() -> None:
    """86700-172500 in Europe/Moscow is Monday 00:05 to 23:55 there."""
    moscow = ZoneInfo("Europe/Moscow")
    schedule = Schedule(((86_700, 172_500),), "Europe/Moscow")
    assert not schedule.is_open(at(moscow, 2025, 11, 24, 0, 4, 59))
    assert schedule.is_open(at(moscow, 2025, 11, 24, 0, 5))
    assert schedule.is_open(at(moscow, 2025, 11, 24, 23, 54, 59))
    assert not schedule.is_open(at(moscow, 2025, 11, 24, 23, 55))
    assert not schedule.is_open(at(moscow, 2025, 11, 25, 12))


def test_seconds_count_from_sunday() -> None:
    """Second 0 is Sunday 00:00."""
    schedule = Schedule(((0, 1),))
    assert schedule.is_open(at(UTC, 2025, 11, 23))  # type: ignore[arg-type]
    assert not schedule.is_open(at(UTC, 2025, 11, 24))  # type: ignore[arg-type]


@pytest.mark.parametrize("sunday", [(2025, 10, 26), (2025, 11, 2), (2026, 3, 1), (2026, 3, 8)])
def test_the_open_moves_with_daylight_saving(sunday: tuple[int, int, int]) -> None:
    """Sunday 17:05 in New York, in summer and in winter; in UTC that is not the same hour."""
    schedule = Schedule(((17 * HOUR_S + 300, WEEK_S),), "America/New_York")
    assert not schedule.is_open(at(NEW_YORK, *sunday, 17, 4))
    assert schedule.is_open(at(NEW_YORK, *sunday, 17, 6))


def test_around_the_change_itself() -> None:
    """The hour that does not exist and the hour that comes twice are what the wall clock says."""
    schedule = Schedule(((2 * HOUR_S, 3 * HOUR_S),), "America/New_York")
    spring = at(NEW_YORK, 2026, 3, 8, 1, 59, 59)
    assert not schedule.is_open(spring) and not schedule.is_open(spring + 1), "02:00 is skipped"
    schedule = Schedule(((HOUR_S, 2 * HOUR_S),), "America/New_York")
    autumn = at(NEW_YORK, 2025, 11, 2, 1, 0)
    assert schedule.is_open(autumn) and schedule.is_open(autumn + HOUR_S + 1800), "01:30 comes twice"
    assert not schedule.is_open(autumn + 2 * HOUR_S)


def test_a_whole_holiday() -> None:
    """Closed all day in the holiday's own zone."""
    holiday = Holiday(day(2025, 12, 25), zone_name="America/New_York")
    schedule = Schedule(((0, WEEK_S),), "UTC", (holiday,))
    assert schedule.is_open(at(NEW_YORK, 2025, 12, 24, 23, 59))
    assert not schedule.is_open(at(NEW_YORK, 2025, 12, 25, 0, 0))
    assert not schedule.is_open(at(NEW_YORK, 2025, 12, 25, 23, 59))
    assert schedule.is_open(at(NEW_YORK, 2025, 12, 26, 0, 0))
    assert schedule.is_open(at(NEW_YORK, 2026, 12, 25, 12, 0)), "not a recurring one"


def test_part_of_a_day_every_year() -> None:
    """Early close on Christmas Eve, this year and the next."""
    holiday = Holiday(day(2025, 12, 24), True, 13 * HOUR_S, DAY_S, "America/New_York")
    schedule = Schedule((), "UTC", (holiday,))
    for year in (2025, 2026, 2030):
        assert schedule.is_open(at(NEW_YORK, year, 12, 24, 12, 59))
        assert not schedule.is_open(at(NEW_YORK, year, 12, 24, 13, 0))


def test_disabled_is_closed_and_unknown_is_open() -> None:
    """The trading mode overrules; no intervals mean that nothing is known."""
    assert ALWAYS_OPEN.is_open(0)
    assert not Schedule(((0, WEEK_S),), disabled=True).is_open(0)


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "America", "a\0b", "../etc/passwd", "x" * 500, "UTC"])
def test_unknown_zones_are_utc(name: str) -> None:
    """A broker's spelling must not stop the feed."""
    assert zone(name).key == "UTC"


@given(st.floats(0, 4e9), st.lists(st.tuples(st.integers(0, WEEK_S), st.integers(0, WEEK_S)), max_size=5))
def test_open_means_inside_an_interval(now_s: float, intervals: list[tuple[int, int]]) -> None:
    """In UTC: second of the week against the intervals; none raises."""
    second = (int(now_s) - 3 * DAY_S) % WEEK_S  # 1970-01-04 was a Sunday
    expected = any(start <= second < end for start, end in intervals) if intervals else True
    assert Schedule(tuple(intervals)).is_open(now_s) is expected
