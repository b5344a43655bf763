"""Trading hours: the wall clock of the schedule's zone decides, holidays and trading mode overrule."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.schedule import ALWAYS_OPEN, DAY_S, FIRST_DAY, LAST_DAY, WEEK_S, Holiday, Schedule

NEW_YORK = ZoneInfo("America/New_York")
HOUR_S = 3600


def at(zone: ZoneInfo, *moment: int) -> float:
    """Unix seconds of a wall-clock moment."""
    return datetime(*moment, tzinfo=zone).timestamp()  # type: ignore[arg-type, misc]


def utc(*moment: int) -> float:
    """Unix seconds of a moment in UTC."""
    return at(ZoneInfo("UTC"), *moment)


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


@pytest.mark.parametrize("name", ["Nowhere/Land", "America", "a\0b", "../etc/passwd", "x" * 500, "\ud800"])
def test_hours_in_an_unknown_zone_are_unknown(name: str) -> None:
    """A broker's spelling must not stop the feed: open, and known to be unknown; a holiday in such a zone is none."""
    shut = Schedule(((0, 1),), name)
    assert shut.is_open(utc(2025, 11, 24)) and not shut.is_known(utc(2025, 11, 24))
    holiday = Holiday(day(2025, 11, 24), zone_name=name)
    assert not holiday.covers(utc(2025, 11, 24, 12))


def test_hours_are_known_where_there_are_some() -> None:
    """In UTC where no zone is named."""
    assert Schedule(((0, 1),), "").is_known(0) and Schedule(((0, 1),), "Europe/Moscow").is_known(0)
    assert not ALWAYS_OPEN.is_known(0)


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 0), (0, DAY_S - 1), (0, DAY_S)])
def test_every_way_to_write_a_whole_holiday(start_s: int, end_s: int) -> None:
    """0 to 0 (the fields' defaults, sent by servers), 0 to 23:59:59 and 0 to 24:00 are the whole day."""
    schedule = Schedule(((0, WEEK_S),), "UTC", (Holiday(day(2025, 12, 25), False, start_s, end_s),))
    assert schedule.is_open(utc(2025, 12, 24, 23, 59, 59))
    assert not schedule.is_open(utc(2025, 12, 25))
    assert not schedule.is_open(utc(2025, 12, 25, 23, 59, 59))
    assert schedule.is_open(utc(2025, 12, 26))


def test_a_holiday_that_ends_on_the_next_day() -> None:
    """From 22:00 to 02:00, every year: New Year's night."""
    schedule = Schedule((), "UTC", (Holiday(day(2025, 12, 31), True, 22 * HOUR_S, 2 * HOUR_S),))
    for year in (2025, 2026):
        assert schedule.is_open(utc(year, 12, 31, 21, 59))
        assert not schedule.is_open(utc(year, 12, 31, 22, 0))
        assert not schedule.is_open(utc(year + 1, 1, 1, 1, 59))
        assert schedule.is_open(utc(year + 1, 1, 1, 2, 0))
    assert schedule.is_open(utc(2025, 12, 31, 1, 0)), "the evening before is no holiday"


def test_an_early_close_that_ends_at_0() -> None:
    """From 13:00 to 0 is the rest of the day."""
    schedule = Schedule((), "UTC", (Holiday(day(2025, 12, 24), False, 13 * HOUR_S, 0),))
    assert schedule.is_open(utc(2025, 12, 24, 12, 59))
    assert not schedule.is_open(utc(2025, 12, 24, 13, 0))
    assert not schedule.is_open(utc(2025, 12, 24, 23, 59, 59))
    assert schedule.is_open(utc(2025, 12, 25))


@pytest.mark.parametrize("end_s", [2 * HOUR_S, WEEK_S + 2 * HOUR_S])
def test_an_interval_that_wraps_the_week(end_s: int) -> None:
    """Saturday 22:00 to Sunday 02:00, written with an end before its start or beyond the week."""
    schedule = Schedule(((6 * DAY_S + 22 * HOUR_S, end_s),))
    assert not schedule.is_open(utc(2025, 11, 22, 21, 59))
    assert schedule.is_open(utc(2025, 11, 22, 22, 0))
    assert schedule.is_open(utc(2025, 11, 23, 1, 59))
    assert not schedule.is_open(utc(2025, 11, 23, 2, 0))


def test_an_interval_that_ends_a_second_early() -> None:
    """A day that ends at 23:59:59 joins the next one without a second's pause."""
    schedule = Schedule(((0, DAY_S - 1), (DAY_S, 2 * DAY_S - 1)))
    assert schedule.is_open(utc(2025, 11, 23, 23, 59, 59) + 0.5)
    assert not schedule.is_open(utc(2025, 11, 25))


def test_an_empty_interval_is_no_trading_time() -> None:
    """An interval from 0 to 0 says nothing: some other interval has to open the market."""
    assert not Schedule(((0, 0),)).is_open(utc(2025, 11, 23))
    assert not Schedule(((5, 5), (0, 0))).is_open(utc(2025, 11, 26))


@given(
    st.floats(0, 4e9),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=5),
    st.lists(
        st.builds(
            Holiday,
            day=st.integers(FIRST_DAY, LAST_DAY),
            recurring=st.booleans(),
            start_s=st.integers(-(2**31), 2**31 - 1),
            end_s=st.integers(-(2**31), 2**31 - 1),
        ),
        max_size=3,
    ),
)
def test_no_numbers_raise(now_s: float, intervals: list[tuple[int, int]], holidays: list[Holiday]) -> None:
    """Whatever fits the fields has an answer."""
    assert Schedule(tuple(intervals), "UTC", tuple(holidays)).is_open(now_s) in (True, False)


@given(st.floats(0, 4e9), st.lists(st.tuples(st.integers(0, WEEK_S), st.integers(0, WEEK_S)), max_size=5))
def test_open_means_inside_an_interval(now_s: float, intervals: list[tuple[int, int]]) -> None:
    """In UTC: second of the week against the intervals; one whose end is before its start goes on next week."""
    second = (int(now_s) - 3 * DAY_S) % WEEK_S  # 1970-01-04 was a Sunday
    expected = not intervals
    for start, end in intervals:
        last = end + (end % DAY_S == DAY_S - 1)
        if start < last:
            expected |= start != end and start <= second < last
        elif start > end:
            expected |= second >= start or second < last
    assert Schedule(tuple(intervals)).is_open(now_s) is expected
