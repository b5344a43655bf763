"""Trend bars: where periods begin, and bars made of quotes and of smaller bars."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.quotes import ASK, BID, BOTH, Quote
from tickrelay.openapi.model_pb2 import ProtoOATrendbarPeriod
from tickrelay.simulator.market.bars import MINUTES, Bar, gathered, opening, start_of

P = ProtoOATrendbarPeriod


def minute(text: str) -> int:
    """``2025-11-24 14:07`` (UTC) in minutes."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


@pytest.mark.parametrize(
    ("period", "start"),
    [
        (P.M1, "2025-11-24 14:07"),
        (P.M5, "2025-11-24 14:05"),
        (P.M30, "2025-11-24 14:00"),
        (P.H1, "2025-11-24 14:00"),
        (P.H4, "2025-11-24 14:00"),
        (P.H12, "2025-11-24 10:00"),
        (P.D1, "2025-11-23 22:00"),
        (P.W1, "2025-11-23 22:00"),
        (P.MN1, "2025-10-31 21:00"),
    ],
)
def test_where_a_bar_begins(period: int, start: str) -> None:
    """Days begin at 17:00 in New York, in winter and in summer; weeks on Sunday; hours by the hour."""
    assert start_of(period, minute("2025-11-24 14:07")) == minute(start)


@given(st.sampled_from(sorted(MINUTES)), st.integers(minute("2000-01-01 00:00"), minute("2040-01-01 00:00")))
def test_bars_tile_time(period: int, when: int) -> None:
    """A bar's start belongs to the bar itself, and the minute before it to the one before."""
    start = start_of(period, when)
    assert start <= when
    assert start_of(period, start) == start
    before = start_of(period, start - 1)
    assert before < start
    assert start_of(period, before) == before


def test_volume_counts_sides() -> None:
    """A quote that changes both sides counts twice, one that changes the ask counts once and moves no bid."""
    bar = opening(Quote(1, 0, 100, 110, BOTH), 0)
    bar.add(Quote(1, 1, 100, 111, ASK))
    bar.add(Quote(1, 2, 90, 111, BID))
    bar.add(Quote(1, 3, 105, 120, BOTH))
    assert bar == Bar(0, 100, 105, 90, 105, 6)


def test_how_bars_are_told() -> None:
    """Live ones have a period and no deltaClose, historical ones the other way round; all is relative to the low."""
    bar = Bar(60, open=103, high=110, low=100, close=105, volume=7)
    live, old = bar.live(P.H1), bar.historical()
    assert (live.low, live.deltaOpen, live.deltaHigh, live.volume, live.period) == (100, 3, 10, 7, P.H1)
    assert not live.HasField("deltaClose")
    assert (old.low, old.deltaOpen, old.deltaHigh, old.deltaClose) == (100, 3, 10, 5)
    assert not old.HasField("period")


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 100)), min_size=1))
def test_longer_bars_hold_what_the_shorter_ones_do(points: list[tuple[int, int]]) -> None:
    """Open of the first, close of the last, extremes and volume of all."""
    bars = [Bar(m, price, price + 1, price - 1, price, 2) for m, price in sorted(dict(points).items())]
    for bar in gathered(bars, P.H1):
        own = [b for b in bars if bar.minute <= b.minute < bar.minute + 60]
        assert (bar.open, bar.close) == (own[0].open, own[-1].close)
        assert (bar.high, bar.low) == (max(b.high for b in own), min(b.low for b in own))
        assert bar.volume == sum(b.volume for b in own)
