"""What is made of the server's description of a symbol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.schedule import DAY_S, FIRST_DAY, LAST_DAY, WEEK_S, Schedule
from tickrelay.openapi.model_pb2 import ProtoOAHoliday, ProtoOALightSymbol, ProtoOASymbol
from tickrelay.upstream.symbol_values import (
    MAX_HOLIDAYS,
    MAX_ID,
    MAX_INTERVALS,
    MAX_SYMBOLS,
    MAX_ZONES,
    DetailsMaker,
    make_listed,
)

DAY = 20_416
"""2025-11-24, in days since 1970."""
NOON_S = DAY * 86_400 + 43_200


def make_schedule(full: ProtoOASymbol) -> Schedule:
    """The hours alone."""
    return DetailsMaker().make(full).schedule


def holiday(day: int, **fields: int) -> ProtoOAHoliday:
    """A holiday in UTC, this year only."""
    return ProtoOAHoliday(holidayId=1, name="", scheduleTimeZone="UTC", holidayDate=day, isRecurring=False, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{}, {"startSecond": 0}, {"startSecond": 0, "endSecond": 0}, {"endSecond": 86_399}])
def test_a_holiday_without_hours_is_the_whole_day(fields: dict[str, int]) -> None:
    """Seconds that are absent, and seconds with their default values, leave no part of the day open."""
    schedule = make_schedule(ProtoOASymbol(symbolId=1, digits=5, pipPosition=4, holiday=[holiday(DAY, **fields)]))
    assert not schedule.is_open(NOON_S) and not schedule.is_open(NOON_S + 43_199)
    assert schedule.is_open(NOON_S - 43_201) and schedule.is_open(NOON_S + 43_200)


@pytest.mark.parametrize("day", [1_763_985_600_000, 2**63 - 1, -(2**63), LAST_DAY + 1, FIRST_DAY - 1])
def test_an_impossible_date_is_left_out(day: int) -> None:
    """A date in milliseconds, or no date at all: that holiday is ignored, the others count."""
    schedule = make_schedule(
        ProtoOASymbol(symbolId=1, digits=5, pipPosition=4, holiday=[holiday(day), holiday(DAY), holiday(LAST_DAY)])
    )
    assert not schedule.is_open(NOON_S)
    assert schedule.is_open(NOON_S - 86_400)


def full(
    symbol_id: int = 1, digits: int = 5, pip: int = 4, zone: str = "UTC", *hours: tuple[int, int]
) -> ProtoOASymbol:
    """The server's details of a symbol."""
    made = ProtoOASymbol(symbolId=symbol_id, digits=digits, pipPosition=pip, scheduleTimeZone=zone)
    for start_s, end_s in hours:
        made.schedule.add(startSecond=start_s, endSecond=end_s)
    return made


@pytest.mark.parametrize(
    ("digits", "pip", "expected"),
    [(-1, -1, (5, 0)), (5, 4, (5, 4)), (2**31 - 1, 2**31 - 1, (5, 10)), (-(2**31), -(2**31), (5, 0)), (6, 11, (5, 10))],
)
def test_digits_and_pips_stay_in_range(digits: int, pip: int, expected: tuple[int, int]) -> None:
    """Prices have five decimals at most, and Protobuf clients get neither as a negative number."""
    details = DetailsMaker().make(full(1, digits, pip))
    assert (details.digits, details.pip_position) == expected


@pytest.mark.parametrize(
    "hours",
    [[(0, 2**32 - 1)], [(WEEK_S, WEEK_S + 5)], [(0, 5), (0, WEEK_S + DAY_S + 1)], [(0, 5)] * (MAX_INTERVALS + 1)],
)
def test_impossible_hours_are_unknown_hours(hours: list[tuple[int, int]]) -> None:
    """All of them: the rest of a schedule could call an open market closed."""
    schedule = make_schedule(full(1, 5, 4, "UTC", *hours))
    assert schedule.intervals == () and schedule.is_open(NOON_S) and not schedule.is_known(NOON_S)


def test_possible_hours_are_kept() -> None:
    """Past the end of the week, and from the week's last second."""
    hours = [(0, 5), (WEEK_S - 1, 3600), (86_400, WEEK_S + DAY_S)]
    assert make_schedule(full(1, 5, 4, "Europe/Moscow", *hours)) == Schedule(tuple(hours), "Europe/Moscow")


@pytest.mark.parametrize(
    "fields", [{"startSecond": -1}, {"startSecond": DAY_S}, {"endSecond": -1}, {"endSecond": 2**31 - 1}]
)
def test_a_holiday_with_impossible_hours_is_left_out(fields: dict[str, int]) -> None:
    """The others count."""
    made = full()
    made.holiday.append(holiday(DAY, **fields))
    assert make_schedule(made).holidays == ()


def test_holidays_are_bounded() -> None:
    """Each is looked at whenever the hours are."""
    made = full()
    made.holiday.extend([holiday(DAY)] * (MAX_HOLIDAYS + 50))
    assert len(make_schedule(made).holidays) == MAX_HOLIDAYS


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/passwd", "x" * 65, "a\0b", "a\nb"])
def test_a_zone_that_is_no_name_makes_hours_unknown(zone: str) -> None:
    """No file is looked for."""
    assert make_schedule(full(1, 5, 4, zone, (0, 5))).intervals == ()


def test_zones_are_bounded() -> None:
    """All symbols of a table together name a bounded number."""
    maker = DetailsMaker()
    made = [maker.make(full(n, 5, 4, f"Zone/{n}", (0, 5))).schedule for n in range(MAX_ZONES + 5)]
    assert [bool(schedule.intervals) for schedule in made] == [True] * MAX_ZONES + [False] * 5
    assert maker.make(full(1, 5, 4, "Zone/1", (0, 5))).schedule is made[1]


def light(symbol_id: int, name: str | bytes = "EURUSD", **fields: str) -> ProtoOALightSymbol:
    """The server's line about a symbol."""
    return ProtoOALightSymbol(symbolId=symbol_id, symbolName=name, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("symbol_id", [0, -1, -(2**63), MAX_ID + 1, 2**63 - 1])
def test_impossible_ids_are_left_out(symbol_id: int) -> None:
    """Ids below 1 mean none, larger ones than a JSON number keeps exact would be another's."""
    assert make_listed([light(symbol_id), light(MAX_ID)]).keys() == {MAX_ID}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("EURUSD", "EURUSD"),
        ("", None),
        ("\n\x1b\u202e", None),
        ("A\nB\x1b[31m", "A B [31m"),
        ("a\u2028b\u202ec\u2066d\x9be", "a b c d e"),
        ("x" * 100, "x" * 100),
        ("x" * 101, None),
        ("y" * 1_000_000, None),
    ],
)
def test_names_are_plain_and_bounded(name: str, kept: str | None) -> None:
    """On one line, without control characters; those that no client could ask for are left out."""
    assert [listed.name for listed in make_listed([light(1, name)]).values()] == ([] if kept is None else [kept])


def test_descriptions_are_cut() -> None:
    """Every client gets them."""
    (listed,) = make_listed([light(1, description="\u202e" + "d" * 5_000_000)]).values()
    assert listed.description == "d" * 299


def test_the_list_is_bounded() -> None:
    """The first symbols are kept."""
    assert len(make_listed(light(n) for n in range(1, MAX_SYMBOLS + 10))) == MAX_SYMBOLS


@given(st.lists(st.binary(max_size=60)), st.floats(-1e9, 4e9))
def test_no_bytes_raise(pieces: list[bytes], now_s: float) -> None:
    """Whatever Protobuf takes for a symbol has an answer in every later use."""
    maker = DetailsMaker()
    for piece in pieces:
        made = ProtoOASymbol(symbolId=1, digits=5, pipPosition=4)
        try:
            made.MergeFromString(piece)
        except Exception:
            continue
        details = maker.make(made)
        assert details.schedule.is_open(now_s) in (True, False)
        assert 0 <= details.digits <= 5 and 0 <= details.pip_position <= 10
