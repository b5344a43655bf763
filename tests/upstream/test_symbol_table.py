"""What is made of the server's description of a symbol."""

import pytest

from tickrelay.model.schedule import FIRST_DAY, LAST_DAY
from tickrelay.openapi.model_pb2 import ProtoOAHoliday, ProtoOASymbol
from tickrelay.upstream.symbol_table import make_schedule

DAY = 20_416
"""2025-11-24, in days since 1970."""
NOON_S = DAY * 86_400 + 43_200


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
