"""Live bars, bar history and tick history agree with the ticks that were sent."""

from typing import Any

import pytest

from tests.support.broker import Broker, Peer
from tickrelay.model.quotes import BID, BOTH, Quote
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetTickDataReq,
    ProtoOAGetTrendbarsReq,
    ProtoOASpotEvent,
    ProtoOASubscribeLiveTrendbarReq,
    ProtoOASubscribeLiveTrendbarRes,
    ProtoOAUnsubscribeLiveTrendbarReq,
)
from tickrelay.openapi.model_pb2 import ProtoOAQuoteType, ProtoOATrendbarPeriod
from tickrelay.simulator.market import history
from tickrelay.simulator.market.bars import MINUTES, start_of

P = ProtoOATrendbarPeriod
ID: dict[str, Any] = {"ctidTraderAccountId": 1001, "symbolId": 1}


def stay(broker: Broker, trader: Peer, seconds: float, step_s: float = 0.25) -> list[ProtoOASpotEvent]:
    """Let time pass while the client lives; the spot events."""
    found = []
    for _ in range(round(seconds / 10)):
        trader.heartbeat()
        broker.run(10, step_s)
        found += trader.spots()
    return found


def bars_of(broker: Broker, trader: Peer, **wanted: Any) -> Any:
    """A bar request, a second after the last one."""
    broker.run(1, 0.5)
    return trader.ask(ProtoOAGetTrendbarsReq(**ID, **wanted))


def test_a_live_bar_needs_spots(trader: Peer) -> None:
    """INVALID_REQUEST, as seen."""
    assert trader.ask(ProtoOASubscribeLiveTrendbarReq(**ID, period=P.M1)).errorCode == "INVALID_REQUEST"


def test_live_bars_come_with_bids(broker: Broker, trader: Peer) -> None:
    """First another technical event; then a bar of each period in each event with a bid, whose close is that bid."""
    trader.subscribe(1)
    stay(broker, trader, 70)
    trader.heartbeat()
    trader.take()
    trader.send(ProtoOASubscribeLiveTrendbarReq(**ID, period=P.M1), "m")
    answer, event = trader.messages()
    assert isinstance(answer, ProtoOASubscribeLiveTrendbarRes)
    assert event.sessionClose and event.bid and event.ask and len(event.trendbar) == 1
    trader.ask(ProtoOASubscribeLiveTrendbarReq(**ID, period=P.H1))
    high: dict[int, int] = {}
    for spot in stay(broker, trader, 150):
        assert len(spot.trendbar) == (2 if spot.HasField("bid") else 0)
        for bar in spot.trendbar:
            assert not bar.HasField("deltaClose")
            assert bar.low <= spot.bid <= bar.low + bar.deltaHigh
            assert bar.utcTimestampInMinutes == start_of(bar.period, spot.timestamp // 60_000)
            key = bar.period * 10**9 + bar.utcTimestampInMinutes
            assert bar.low + bar.deltaHigh >= high.get(key, 0)
            high[key] = bar.low + bar.deltaHigh
    assert len(high) >= 3
    trader.ask(ProtoOAUnsubscribeLiveTrendbarReq(**ID, period=P.M1))
    trader.ask(ProtoOAUnsubscribeLiveTrendbarReq(**ID, period=P.H1))
    assert not any(spot.trendbar for spot in stay(broker, trader, 20))


def test_history_agrees_with_the_ticks(broker: Broker, trader: Peer) -> None:
    """Bars of every period and both sides' ticks, rebuilt from the spot events of the session."""
    trader.take()
    trader.subscribe(1)
    spots = stay(broker, trader, 1300)
    bids = [(s.timestamp, s.bid) for s in spots if s.HasField("bid")]
    for period in (P.M1, P.M5, P.M15):
        answer = bars_of(broker, trader, period=period, count=3)
        assert len(answer.trendbar) == 3
        for bar in list(answer.trendbar)[:-1]:  # of whole bars only
            start, length = bar.utcTimestampInMinutes, MINUTES[period]
            own = [bid for when, bid in bids if start <= when // 60_000 < start + length]
            if start * 60_000 < spots[0].timestamp:
                continue
            assert (bar.low, bar.low + bar.deltaHigh) == (min(own), max(own))
            assert bar.low + bar.deltaClose == own[-1]
    for side, ticks in (
        (ProtoOAQuoteType.BID, bids),
        (ProtoOAQuoteType.ASK, [(s.timestamp, s.ask) for s in spots if s.HasField("ask")]),
    ):
        broker.run(1, 0.5)
        last_ms = ticks[-1][0]
        answer = trader.ask(ProtoOAGetTickDataReq(**ID, type=side, fromTimestamp=ticks[5][0], toTimestamp=last_ms))
        when = price = 0
        found = []
        for tick in answer.tickData:
            when, price = when + tick.timestamp, price + tick.tick
            found.append((when, price))
        assert found[::-1] == ticks[5:]
        assert not answer.hasMore


def test_bars_from_before_the_start(broker: Broker, trader: Peer) -> None:
    """There are as many as are asked for, oldest first, joined to the present; another request tells the same."""
    broker.run(5)
    for period in (P.M1, P.M15, P.H1, P.H4, P.D1, P.W1, P.MN1):
        answer = bars_of(broker, trader, period=period, count=100)
        starts = [bar.utcTimestampInMinutes for bar in answer.trendbar]
        assert len(starts) == 100
        assert starts == sorted(set(starts))
        assert all(start == start_of(period, start) for start in starts)
        assert starts[-1] <= broker.broker.now() // 60 < starts[-1] + MINUTES[period] * 1.1
        for one, other in zip(answer.trendbar, answer.trendbar[1:], strict=False):
            if other.utcTimestampInMinutes * 60 < broker.broker.started_s - 60 * MINUTES[period]:
                assert one.low + one.deltaClose == other.low + other.deltaOpen
        again = bars_of(broker, trader, period=period, count=100)
        assert again.trendbar[0] == answer.trendbar[0]
        trader.heartbeat()


def test_days_open_and_close_where_hours_do(broker: Broker, trader: Peer) -> None:
    """Before the start too, periods agree on opens and closes."""
    days = bars_of(broker, trader, period=P.D1, count=10).trendbar
    hours = {b.utcTimestampInMinutes: b for b in bars_of(broker, trader, period=P.H1, count=300).trendbar}
    for day in list(days)[2:-1]:
        first = hours[day.utcTimestampInMinutes]
        assert first.low + first.deltaOpen == day.low + day.deltaOpen


def test_a_span_without_a_count(broker: Broker, trader: Peer) -> None:
    """Beginning and end bound it; with a count the beginning does not."""
    broker.run(5)
    to_ms = round(broker.broker.now() * 1000)
    hour = bars_of(broker, trader, period=P.M1, fromTimestamp=to_ms - 3_600_000, toTimestamp=to_ms)
    assert 60 <= len(hour.trendbar) <= 61 and not hour.hasMore
    counted = bars_of(broker, trader, period=P.M1, fromTimestamp=to_ms - 3_600_000, toTimestamp=to_ms, count=100)
    assert len(counted.trendbar) == 100 and counted.hasMore


@pytest.mark.parametrize("period", [P.M1, P.M5, P.H1, P.H4, P.D1, P.W1, P.MN1])
def test_the_bar_that_contains_the_beginning_is_included(broker: Broker, trader: Peer, period: int) -> None:
    """Whether the beginning lies at its first or at its last millisecond, or in the bar that is being made."""
    broker.run(5)
    all_ = bars_of(broker, trader, period=period, count=6).trendbar
    for number in (1, 4, 5):
        begin_ms = all_[number].utcTimestampInMinutes * 60_000
        end_ms = all_[number + 1].utcTimestampInMinutes * 60_000 - 1 if number < 5 else begin_ms + 1
        for from_ms in (begin_ms, end_ms):
            found = bars_of(broker, trader, period=period, fromTimestamp=from_ms).trendbar
            assert found[0] == all_[number] if number < 5 else found[0].utcTimestampInMinutes * 60_000 == begin_ms
        trader.heartbeat()


def test_a_beginning_that_no_calendar_reaches(broker: Broker, trader: Peer) -> None:
    """Far in the future there are no bars; before 1970 there are those that are kept."""
    far = {"fromTimestamp": 2**61, "toTimestamp": 2**62}
    for period in (P.M1, P.D1, P.W1, P.MN1):
        assert len(bars_of(broker, trader, period=period, **far).trendbar) == 0
    soon_ms = round(broker.broker.now() * 1000) + 5_000
    assert len(bars_of(broker, trader, period=P.D1, fromTimestamp=soon_ms, toTimestamp=soon_ms).trendbar) == 1
    assert bars_of(broker, trader, period=P.W1, fromTimestamp=-(2**61)).trendbar


@pytest.mark.parametrize(
    "wanted", [{}, {"fromTimestamp": 2, "toTimestamp": 1}, {"fromTimestamp": 2**62, "toTimestamp": 2**61}]
)
def test_senseless_spans(broker: Broker, trader: Peer, wanted: dict[str, int]) -> None:
    """INCORRECT_BOUNDARIES."""
    assert bars_of(broker, trader, period=P.M1, **wanted).errorCode == "INCORRECT_BOUNDARIES"


def test_unknown_symbols_and_long_spans_of_ticks(broker: Broker, trader: Peer) -> None:
    """UNKNOWN_SYMBOL for history; at most a week of ticks."""
    unknown = ProtoOAGetTrendbarsReq(ctidTraderAccountId=1001, symbolId=4711, period=P.M1, count=1)
    assert trader.ask(unknown).errorCode == "UNKNOWN_SYMBOL"
    to_ms = round(broker.broker.now() * 1000)
    long = ProtoOAGetTickDataReq(**ID, type=1, fromTimestamp=to_ms - 604_800_001, toTimestamp=to_ms)
    assert trader.ask(long).errorCode == "INCORRECT_BOUNDARIES"


def test_five_historical_requests_a_second(broker: Broker, trader: Peer) -> None:
    """The sixth is refused with the time to wait, of that type alone; a second later it goes again."""
    request = ProtoOAGetTrendbarsReq(**ID, period=P.M1, count=1)
    for _ in range(5):
        assert trader.ask(request).trendbar
    refused = trader.ask(request)
    assert (refused.errorCode, refused.retryAfter) == ("BLOCKED_PAYLOAD_TYPE", 1)
    assert not refused.HasField("ctidTraderAccountId")
    trader.subscribe(1)
    broker.run(1.1)
    assert trader.ask(request).trendbar


def test_ticks_that_are_kept_are_bounded() -> None:
    """Of each side so many, the oldest go."""
    ticks = history.Ticks()
    for n in range(5 * history.TICKS_KEPT):
        ticks.add(n, n)
        assert len(ticks.prices) <= 2 * history.TICKS_KEPT
    newest, more = ticks.newest(0, 10**9, 3)
    last = 5 * history.TICKS_KEPT - 1
    assert newest == [(last, last), (last - 1, last - 1), (last - 2, last - 2)]
    assert more


def test_hours_outlive_minutes() -> None:
    """Longer bars are made of hours where the minutes are gone, and agree with all quotes ever taken in."""
    kept = history.SymbolHistory()
    start = start_of(P.D1, 29_400_000)
    quotes = [(start + n * 5, 100_000 + (n * 7919) % 997) for n in range(6 * 288)]
    for minute, bid in quotes:
        kept.add(Quote(1, minute * 60_000, bid, bid + 10, BOTH), minute * 60_000)
    assert len(kept.bars(P.M5, quotes[-1][0])) == len(quotes)
    for period, bars in ((P.H4, 36), (P.D1, 6)):
        found = kept.bars(period, quotes[-1][0])
        assert len(found) == bars
        for bar in found:
            own = [bid for minute, bid in quotes if bar.minute <= minute < bar.minute + MINUTES[period]]
            assert (bar.open, bar.high, bar.low, bar.close) == (own[0], max(own), min(own), own[-1])
            assert bar.volume == 2 * len(own)
    assert kept.live(P.D1) == kept.bars(P.D1, quotes[-1][0])[-1]
    for minute in range(quotes[-1][0] + 1, quotes[-1][0] + 2 * history.MINUTE_BARS_KEPT):
        kept.add(Quote(1, 0, 100, 110, BID), minute * 60_000)
    assert len(kept.bars(P.M1, 2**40)) == history.MINUTE_BARS_KEPT + 1
    assert kept.bars(P.D1, 2**40)[0].minute == start
