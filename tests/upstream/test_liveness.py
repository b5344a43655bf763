"""Three clocks: a frozen feed in an open market is detected, a closed or quiet market raises no alarm."""

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.support.rig import Rig
from tickrelay.model.schedule import WEEK_S, Schedule
from tickrelay.model.ticks import Symbol
from tickrelay.upstream.liveness import OPENING_GRACE_S, DataClock, LinkClock, LinkState, Verdict

ALWAYS = Schedule(((0, WEEK_S),))
NOON = datetime(2025, 11, 24, 12, tzinfo=ZoneInfo("UTC")).timestamp()


def symbol(number: int, schedule: Schedule = ALWAYS) -> Symbol:
    """A symbol with an id and a schedule."""
    return Symbol(symbol_id=number, name=f"S{number}", schedule=schedule)


class Feed:
    """Symbols that tick at given intervals, and a DataClock that is checked every five seconds."""

    def __init__(self, clock: DataClock, *symbols: Symbol, wall_s: float = NOON) -> None:
        self.clock = clock
        self.symbols = {s.symbol_id: s for s in symbols}
        self.now_s = 1000.0
        self.wall_s = wall_s
        self.confirmed = dict.fromkeys(self.symbols, self.now_s)
        self.spots: dict[int, float] = dict.fromkeys(self.symbols, self.now_s)
        clock.begin()

    def run(self, seconds: float, every: dict[int, float] | None = None) -> Verdict:
        """Let time pass; *every*: symbol id -> seconds between its ticks. Returns the first finding, or the last."""
        end = self.now_s + seconds
        verdict = Verdict()
        while self.now_s < end:
            self.now_s += 5
            self.wall_s += 5
            for number, gap in (every or {}).items():
                ticks = self.now_s // gap * gap
                if ticks > self.spots[number]:
                    self.spots[number] = ticks
            verdict = self.clock.check(self.now_s, self.wall_s, self.confirmed, self.spots, self.symbols)
            if verdict.dead or verdict.silent:
                return verdict
        return verdict


def test_a_freeze_of_a_busy_feed_is_found_within_its_deadline() -> None:
    """A minute without ticks of an open market, and one more check."""
    feed = Feed(DataClock(60), symbol(1), symbol(2))
    feed.run(600, {1: 1, 2: 3})
    began = feed.now_s
    verdict = feed.run(200)
    assert set(verdict.dead) == {1, 2}
    assert 60 < feed.now_s - began <= 75


def test_a_slow_symbol_is_not_dead_by_its_own_rhythm() -> None:
    """A symbol that ticks every five minutes is judged by its own interval."""
    feed = Feed(DataClock(60, 600), symbol(1))
    verdict = feed.run(4 * 3600, {1: 290})
    assert not verdict.dead and not verdict.silent


def test_a_symbol_of_unknown_rhythm_has_more_time() -> None:
    """With fewer than two ticks the limit is five times the least silence."""
    feed = Feed(DataClock(60), symbol(1))
    began = feed.now_s
    verdict = feed.run(1000)
    assert verdict.dead == (1,)
    assert 300 < feed.now_s - began <= 315


def test_one_silent_symbol_among_others() -> None:
    """Only that symbol is reported, after ten minutes; the feed counts as alive."""
    feed = Feed(DataClock(60, 600), symbol(1), symbol(2))
    feed.run(600, {1: 1, 2: 2})
    began = feed.now_s
    verdict = feed.run(2000, {2: 2})
    assert verdict.silent == (1,) and not verdict.dead
    assert 600 < feed.now_s - began <= 610
    feed.clock.asked_again(["S1"])
    feed.confirmed[1] = feed.now_s
    began = feed.now_s
    assert feed.run(3000, {2: 2}).silent == (1,)
    assert 1200 < feed.now_s - began <= 1210, "asked in vain: more patient"


def test_a_closed_market_is_not_judged() -> None:
    """No ticks at a weekend."""
    week = Schedule(((86_400, 6 * 86_400 - 7200),), "America/New_York")
    feed = Feed(DataClock(60), symbol(1, week))
    feed.run(600, {1: 1})
    feed.wall_s = datetime(2025, 11, 22, 12, tzinfo=ZoneInfo("UTC")).timestamp()  # Saturday
    assert feed.run(86_400).dead == ()


def test_unknown_hours_are_not_judged() -> None:
    """A symbol whose schedule the server does not give never raises an alarm."""
    feed = Feed(DataClock(60), symbol(1, Schedule()))
    feed.run(600, {1: 1})
    assert feed.run(3600).dead == ()


def test_a_disabled_symbol_is_not_judged() -> None:
    """Trading mode disabled: no quotes are due."""
    feed = Feed(DataClock(60), symbol(1, Schedule(((0, WEEK_S),), disabled=True)))
    feed.run(600, {1: 1})
    assert feed.run(3600).dead == ()


def test_a_market_that_just_opened_has_time() -> None:
    """It is not judged in its first five minutes; its silence counts from then."""
    week = Schedule(((86_400, 6 * 86_400),), "UTC")
    monday = datetime(2025, 11, 24, tzinfo=ZoneInfo("UTC")).timestamp()
    feed = Feed(DataClock(60), symbol(1, week), wall_s=monday - 86_400 * 1.5)
    feed.run(600, {1: 1})  # closed: learns nothing
    feed.wall_s = monday - 600
    began = feed.now_s + 600
    verdict = feed.run(3600)
    assert verdict.dead == (1,)
    assert feed.now_s - began >= OPENING_GRACE_S + 300


def test_a_process_that_slept_looks_twice() -> None:
    """The first check after the machine slept decides nothing: ticks may wait in the socket."""
    feed = Feed(DataClock(60), symbol(1))
    feed.run(600, {1: 1})
    feed.now_s += 500
    assert feed.run(5).dead == ()
    assert feed.run(600, {1: 1}).dead == ()


def test_patience_grows_when_a_reconnect_did_not_help() -> None:
    """On a holiday that no schedule lists each round waits twice as long, up to an hour."""
    clock = DataClock(60)
    Feed(clock, symbol(1)).run(600, {1: 1})
    waits = []
    for _ in range(4):
        feed = Feed(clock, symbol(1))
        began = feed.now_s
        assert feed.run(5000).dead
        waits.append(feed.now_s - began)
        clock.reconnected_in_vain()
    assert [round(b / a) for a, b in pairwise(waits)] == [2, 2, 2]
    clock.flows()
    assert Feed(clock, symbol(1)).run(80).dead


def test_link_clock() -> None:
    """Alive, then probed once, then dead; any byte makes it alive again."""
    link = LinkClock(90)
    assert link.check(100, 50) == LinkState.ALIVE
    assert link.check(111, 50) == LinkState.PROBE
    assert link.check(116, 50) == LinkState.ALIVE
    assert link.check(136, 50) == LinkState.DEAD
    assert link.check(140, 139) == LinkState.ALIVE
    assert link.check(1000, 139) == LinkState.PROBE, "after a sleep it is asked first"


# In the session.


def freeze(rig: Rig, on: bool = True) -> None:
    """No spots are sent, while heartbeats and answers are."""
    rig.dependencies.active_faults.silent_ticks = on


def test_a_frozen_feed_degrades_is_asked_again_and_reconnected(rig: Rig) -> None:
    """Ticks stop though the market is open: degraded, subscribed again, and at last a new connection."""
    rig.go_live("EURUSD", "GBPUSD")
    rig.run(120)
    rig.listener.events.clear()
    freeze(rig)
    assert rig.until(lambda: rig.state == "degraded", 100, 0.1) <= 80
    assert rig.status == "connected" and "no ticks" in rig.message
    assert ("lost", "stale", ["EURUSD", "GBPUSD"]) in rig.listener.events
    assert rig.service.explain("EURUSD").silent
    rig.run(2)
    assert len(rig.sent("ProtoOAUnsubscribeSpotsReq")) == 1
    assert rig.upstream_set() == {"EURUSD", "GBPUSD"}
    rig.until(lambda: len(rig.net.attempts) == 2, 100, 0.1)
    assert ("lost", "stale", None) in rig.listener.events
    assert rig.counters.stale_feeds == 1
    freeze(rig, False)
    rig.until(lambda: rig.state == "live", 100, 0.1)
    rig.run(600, 0.1)
    assert rig.counters.stale_feeds == 1 and len(rig.net.attempts) == 2


def test_a_feed_that_comes_back_when_asked_again(rig: Rig) -> None:
    """Ticks resume after the new subscription: live, on the same connection."""
    rig.go_live("EURUSD", "GBPUSD")
    rig.run(120)
    freeze(rig)
    rig.until(lambda: rig.state == "degraded", 100, 0.1)
    freeze(rig, False)
    rig.until(lambda: rig.state == "live", 30, 0.1)
    assert len(rig.net.attempts) == 1
    assert not rig.service.explain("EURUSD").silent
    rig.run(600, 0.1)
    assert rig.counters.stale_feeds == 1


def test_heartbeats_are_no_data(make_rig: Callable[..., Rig]) -> None:
    """A heartbeat every second does not hide a dead feed."""
    rig = make_rig(rules={"heartbeat_s": 1.0})
    rig.go_live("EURUSD")
    rig.run(120)
    freeze(rig)
    assert rig.until(lambda: rig.state == "degraded", 100, 0.1) <= 80


def test_the_answer_to_asking_again_is_no_data(rig: Rig) -> None:
    """The last price that a subscription is answered with does not count as a tick."""
    rig.go_live("EURUSD")
    rig.run(120)
    rig.dependencies.stop()  # no quotes, but technical events
    rig.until(lambda: rig.state == "degraded", 100, 0.1)
    spots = len(rig.listener.spots)
    rig.run(10)
    assert len(rig.listener.spots) == spots + 1
    assert rig.state == "degraded"
    rig.until(lambda: len(rig.net.attempts) == 2, 100, 0.1)


def test_a_fresh_session_is_not_judged_at_once(rig: Rig) -> None:
    """After a reconnect the first spots have time to arrive."""
    rig.go_live("EURUSD")
    rig.run(120)
    freeze(rig)
    rig.connection.reset()
    rig.until(lambda: rig.state == "live", 10)
    rig.run(55)
    assert rig.state == "live"


def test_nothing_wanted_is_never_dead(make_rig: Callable[..., Rig]) -> None:
    """Without subscriptions no tick is due."""
    rig = make_rig(simulator={"symbols": ("EURUSD",)})
    rig.go_live()
    rig.run(3600, 0.5)
    assert rig.counters.stale_feeds == 0 and len(rig.net.attempts) == 1


def test_a_long_dead_feed_is_not_hammered(make_rig: Callable[..., Rig]) -> None:
    """The longer the feed is dead, the rarer are new connections."""
    rig = make_rig(simulator={"symbols": ("EURUSD",)})
    rig.go_live("EURUSD")
    rig.run(120)
    freeze(rig)
    rig.run(3 * 3600, 0.5)
    assert 3 <= len(rig.net.attempts) <= 12
    freeze(rig, False)
    rig.run(120, 0.5)
    assert rig.state == "live" and not rig.service.explain("EURUSD").silent


def test_one_frozen_symbol_is_asked_for_again(rig: Rig) -> None:
    """While others tick, that one is reported with its gap, and it alone is subscribed again."""
    rig.go_live("EURUSD", "GBPUSD")
    rig.run(120, 0.1)
    number = next(iter(rig.dependencies.sessions))
    frozen = rig.symbol_id("GBPUSD")
    rig.dependencies.unsubscribe(number, 1001, frozen)  # the server forgot it
    rig.until(lambda: rig.counters.stale_symbols, 700, 0.5)
    assert rig.service.explain("GBPUSD").silent and not rig.service.explain("EURUSD").silent
    assert rig.listener.lost == [("stale", ["GBPUSD"])]
    rig.run(60, 0.1)
    assert rig.upstream_set() == {"EURUSD", "GBPUSD"}
    assert not rig.service.explain("GBPUSD").silent
    assert len(rig.net.attempts) == 1 and rig.counters.stale_feeds == 0
