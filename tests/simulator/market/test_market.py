"""The market follows from its seed, keeps trading hours, and has the statistics of a real one."""

import itertools
import math
import statistics
from collections import Counter
from datetime import UTC, datetime

import pytest

from tickrelay.model.quotes import Quote
from tickrelay.simulator.market.hours import HOURS, OpenHours
from tickrelay.simulator.market.instruments import catalogue, chosen
from tickrelay.simulator.market.market import MOST_AT_ONCE, Market

MONDAY_S = datetime(2025, 11, 24, 14, tzinfo=UTC).timestamp()
SATURDAY_S = datetime(2025, 11, 22, 12, tzinfo=UTC).timestamp()


def make(seed: int = 1, start_s: float = MONDAY_S, real: bool = False, rate: float = 1.0, names: str = "") -> Market:
    """A market."""
    hours = {kind: OpenHours(week) for kind, week in HOURS.items()}
    return Market(
        chosen(names.split()),
        seed=seed,
        now_s=start_s,
        rate=rate,
        hours=lambda one: hours[one.hours] if real else lambda _: True,
    )


def run(market: Market, start_s: float, seconds: float, step_s: float = 1.0) -> list[Quote]:
    """Its quotes over some time."""
    return [q for n in range(round(seconds / step_s)) for q in market.advance(start_s + (n + 1) * step_s)]


def test_one_seed_one_market() -> None:
    """Equal seeds give equal quotes however the time is cut; another seed gives others."""
    one = run(make(), MONDAY_S, 60)
    assert one == run(make(), MONDAY_S, 60, 0.25)
    assert one != run(make(seed=2), MONDAY_S, 60)


def test_quotes_are_sound() -> None:
    """In the order of time, never crossed, on the symbol's digits, with at least one side changed."""
    market = make()
    last = {i: market.technical(i) for i in market.listings}
    times = []
    for quote in run(market, MONDAY_S, 120):
        unit = 10 ** (5 - market.listings[quote.symbol_id].instrument.digits)
        before = last[quote.symbol_id]
        assert before is not None
        assert 0 < quote.bid < quote.ask
        assert quote.bid % unit == quote.ask % unit == 0
        assert quote.changed == (1 if quote.bid != before.bid else 0) + (2 if quote.ask != before.ask else 0) != 0
        assert quote.time_ms > before.time_ms
        last[quote.symbol_id] = quote
        times.append(quote.time_ms)
    assert all(later >= earlier - 1 for earlier, later in itertools.pairwise(times))


def test_crosses_agree_with_their_legs() -> None:
    """EURUSD times USDJPY is EURJPY, within the spreads, at any time."""
    market = make(names="EURUSD USDJPY EURJPY GBPUSD USDCHF GBPCHF")
    ids = {listing.instrument.name: i for i, listing in market.listings.items()}
    for n in range(200):
        market.advance(MONDAY_S + 30 * n)
        last = {name: market.technical(i) for name, i in ids.items()}
        for cross, one, other in (("EURJPY", "EURUSD", "USDJPY"), ("GBPCHF", "GBPUSD", "USDCHF")):
            a, b, c = last[one], last[other], last[cross]
            assert a is not None and b is not None and c is not None
            assert c.bid == pytest.approx(a.bid * b.bid / 1e5, rel=0.0008)


def test_the_pace_is_believable_and_scales() -> None:
    """A major has a few events a second in busy hours; the rate scales all symbols."""
    counts = Counter(q.symbol_id for q in run(make(), MONDAY_S, 300))
    assert 1.5 < counts[1] / 300 < 8
    assert 60 < sum(counts.values()) / 300 < 250
    fast = len(run(make(rate=10), MONDAY_S, 30))
    assert 7 < fast / sum(counts.values()) * 10 < 14


def test_real_hours() -> None:
    """On Saturday only crypto moves, on Monday all do."""
    kinds = {i.symbol_id: i.hours for i in catalogue()}
    weekend = {kinds[q.symbol_id] for q in run(make(start_s=SATURDAY_S, real=True), SATURDAY_S, 60)}
    assert weekend == {"crypto"}
    assert {kinds[q.symbol_id] for q in run(make(real=True), MONDAY_S, 60)} == set(HOURS)


def test_markets_open_on_sunday_evening() -> None:
    """The currencies come back at 17:05 in New York, within half a minute."""
    open_s = datetime(2025, 11, 23, 22, 5, tzinfo=UTC).timestamp()
    market = make(start_s=open_s - 300, real=True, names="EURUSD")
    assert not run(market, open_s - 300, 299)
    quotes = run(market, open_s, 60)
    assert quotes
    assert quotes[0].time_ms / 1000 - open_s < 40


def test_volatility_clusters_and_spreads_breathe() -> None:
    """Large moves follow large ones; the spread is not one number."""
    market = make(names="EURUSD")
    mids, spreads = [], set()
    for n in range(12_000):
        market.advance(MONDAY_S + 5 * n)
        last = market.technical(1)
        assert last is not None
        mids.append(last.bid)
        spreads.add(last.ask - last.bid)
    moves = [abs(math.log(b / a)) for a, b in itertools.pairwise(mids)]
    smooth = [statistics.fmean(moves[i : i + 60]) for i in range(0, len(moves) - 60, 60)]
    lagged = statistics.correlation(smooth[:-1], smooth[1:])
    assert lagged > 0.1
    assert len(spreads) > 3


def test_bursts() -> None:
    """Now and then a symbol makes several times its usual events for some seconds."""
    counts = Counter(q.time_ms // 2000 for q in run(make(names="EURUSD"), MONDAY_S, 3600))
    usual = statistics.median(counts.values())
    assert max(counts.values()) > 4 * usual


def test_a_gap_in_time_is_jumped_over() -> None:
    """After a suspended hour some seconds are made good, not the hour."""
    market = make()
    run(market, MONDAY_S, 5)
    assert len(market.advance(MONDAY_S + 3600)) < 3000
    assert market.next_s > MONDAY_S + 3600


def test_a_market_faster_than_the_machine_lags() -> None:
    """One call is bounded, whatever the rate; the rest comes with the next calls, and time never runs back."""
    market = make(rate=100_000)
    times = []
    for n in range(3):
        quotes = market.advance(MONDAY_S + n)
        assert len(quotes) <= MOST_AT_ONCE
        times += [q.time_ms for q in quotes if q.symbol_id == 1]
    assert len(times) > 100 and times == sorted(times)


def test_a_week_on_real_hours_is_quick() -> None:
    """Virtual time: a week of a quiet market takes a moment."""
    market = make(real=True, rate=0.02)
    quotes = run(market, MONDAY_S, 7 * 86_400, 60.0)
    assert len(quotes) > 5_000


def test_chosen_symbols() -> None:
    """A market of some symbols keeps their ids; an unknown one is named."""
    assert [i.symbol_id for i in chosen(["XAUUSD", "EURUSD"])] == [41, 1]
    assert [i.symbol_id for i in chosen(["EURUSD", "EURUSD"])] == [1], "named twice, traded once"
    with pytest.raises(LookupError, match="EURUDS"):
        chosen(["EURUDS"])


def test_the_session_close_is_the_last_bid_of_the_day() -> None:
    """It changes at 17:00 in New York."""
    close_s = datetime(2025, 11, 24, 22, tzinfo=UTC).timestamp()
    market = make(start_s=close_s - 60, names="EURUSD")
    first = market.technical(1)
    before = run(market, close_s - 60, 60)[-1]
    again = market.technical(1)
    run(market, close_s, 60)
    after = market.technical(1)
    assert first is not None and again is not None and after is not None
    assert again.session_close == first.session_close
    assert after.session_close == before.bid
