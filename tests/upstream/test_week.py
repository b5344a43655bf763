"""Whole weeks on a clock: weekend, Sunday open, daylight-saving change, holiday. No false alarm, no freeze missed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.support.rig import Rig

NEW_YORK = ZoneInfo("America/New_York")
DAY_S = 86_400


def skip_ahead(rig: Rig, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
    """Let time pass from timer to timer; ends early when *until* holds. Returns how much passed."""
    clock = rig.clock
    start = clock.seconds()
    while clock.seconds() - start < seconds and not until():
        calls = clock.getDelayedCalls()
        clock.advance(max(0.0, min(call.getTime() for call in calls) - clock.seconds()))
    return float(clock.seconds() - start)


def week_rig(make_rig: Callable[..., Rig], begin: datetime, symbols: tuple[str, ...], rate: float) -> Rig:
    """A rig whose market keeps real hours, from a moment on; a slow *rate* makes a week quick."""
    return make_rig(
        start_s=begin.timestamp(),
        simulator={"symbols": symbols, "schedule": "real", "rate": rate},
        heartbeat_s=25.0,
    ).go_live(*symbols)


@pytest.mark.parametrize(
    "begin",
    [
        datetime(2025, 10, 30, 9, tzinfo=NEW_YORK),  # winter time begins on Sunday 2 November
        datetime(2026, 3, 5, 9, tzinfo=NEW_YORK),  # summer time begins on Sunday 8 March
        datetime(2025, 12, 19, 12, tzinfo=NEW_YORK),  # a weekend, Christmas, and the days around it
    ],
    ids=["winter", "summer", "christmas"],
)
def test_a_week_without_a_false_alarm(make_rig: Callable[..., Rig], begin: datetime) -> None:
    """A week of a market that opens and closes: one connection, nothing asked for again, no alarm."""
    rig = week_rig(make_rig, begin, ("EURUSD", "XAUUSD", "US500"), 0.05)
    skip_ahead(rig, 7 * DAY_S)
    assert rig.counters.stale_feeds == 0 and rig.counters.stale_symbols == 0
    assert len(rig.net.attempts) == 1 and rig.counters.losses == 0
    assert rig.sent("ProtoOAUnsubscribeSpotsReq") == []
    assert rig.listener.lost == []
    assert rig.counters.spots > 10_000


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2025, 10, 31, 11, tzinfo=NEW_YORK),
        datetime(2025, 11, 2, 19, tzinfo=NEW_YORK),
        datetime(2025, 11, 4, 3, tzinfo=NEW_YORK),
    ],
    ids=["friday", "sunday evening, an hour later than last week", "at night"],
)
def test_a_freeze_in_an_open_market_is_found(make_rig: Callable[..., Rig], moment: datetime) -> None:
    """Soon after a minute of silence, and a new connection when asking again does not help."""
    begin = moment - timedelta(hours=1)
    rig = week_rig(make_rig, begin, ("EURUSD", "XAUUSD"), 1.0)
    skip_ahead(rig, 3600)
    assert rig.counters.stale_feeds == 0
    rig.dependencies.active_faults.silent_ticks = True
    took = skip_ahead(rig, 3600, lambda: rig.state == "degraded")
    assert 60 <= took <= 90
    skip_ahead(rig, 600, lambda: len(rig.net.attempts) == 2)
    assert len(rig.net.attempts) == 2
    rig.dependencies.active_faults.silent_ticks = False
    skip_ahead(rig, 3600)
    assert rig.state == "live" and rig.counters.stale_feeds == 1


def test_a_freeze_over_the_weekend_is_found_after_the_open(make_rig: Callable[..., Rig]) -> None:
    """The feed dies while the market is shut: nothing on Saturday, found soon after it should have opened."""
    begin = datetime(2025, 10, 31, 12, tzinfo=NEW_YORK)
    rig = week_rig(make_rig, begin, ("EURUSD",), 0.2)
    saturday = datetime(2025, 11, 1, 12, tzinfo=NEW_YORK)
    skip_ahead(rig, saturday.timestamp() - begin.timestamp())
    rig.dependencies.active_faults.silent_ticks = True
    opens = datetime(2025, 11, 2, 17, 5, tzinfo=NEW_YORK)
    took = skip_ahead(rig, 3 * DAY_S, lambda: rig.state == "degraded")
    found = saturday.timestamp() + took
    assert 300 < found - opens.timestamp() < 1200


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 0), (0, 86_399), (6 * 3600, 5 * 3600)], ids=str)
def test_a_holiday_on_which_no_tick_comes_is_no_fault(make_rig: Callable[..., Rig], start_s: int, end_s: int) -> None:
    """A whole day written as 0 to 0 (as servers send it), to 23:59:59, or past midnight: no alarm, no reconnect."""
    rig = make_rig(simulator={"symbols": ("EURUSD",)})
    (symbol,) = rig.dependencies.catalogue.full_symbols.values()
    symbol.holiday.add(
        holidayId=1,
        name="Holiday",
        scheduleTimeZone="UTC",
        holidayDate=int(rig.wall() // DAY_S),
        isRecurring=False,
        startSecond=start_s,
        endSecond=end_s,
    )
    rig.go_live("EURUSD")
    rig.dependencies.active_faults.silent_ticks = True
    skip_ahead(rig, 3 * 3600)
    assert (rig.counters.stale_feeds, rig.counters.stale_symbols, len(rig.net.attempts)) == (0, 0, 1)
    assert rig.state == "live"
