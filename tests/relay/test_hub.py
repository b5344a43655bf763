"""The hub: interest, the way of a tick, the groups, and what a slow client gets."""

import pytest

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.support.relay import EPOCH, Relay
from tickrelay.config.settings import RelaySettings
from tickrelay.model.errors import CloseCode
from tickrelay.model.feed import IFeedListener, SymbolFeed
from tickrelay.model.schedule import Schedule
from tickrelay.model.ticks import Symbol


@pytest.fixture
def relay(clock: Clock) -> Relay:
    """A hub with five symbols."""
    return Relay(clock)


def test_the_hub_is_a_feed_listener(relay: Relay) -> None:
    """The hub provides the seam that upstream calls."""
    assert verifyObject(IFeedListener, relay.hub)


def test_first_interest_subscribes_and_last_unsubscribes(relay: Relay) -> None:
    """Upstream hears of a symbol once when the first client comes and once when the last leaves."""
    one, two = relay.client("EURUSD"), relay.client("EURUSD", "XAUUSD")
    relay.hub.unsubscribe(one.subscriber, ["EURUSD", "EURUSD", "GBPUSD", "nonsense"])
    assert relay.feed.calls == [("want", "EURUSD"), ("want", "XAUUSD")]
    relay.hub.detach(two.subscriber)
    relay.hub.detach(two.subscriber)
    assert relay.feed.calls[2:] == [("unwant", "EURUSD"), ("unwant", "XAUUSD")]


def test_the_age_of_the_newest_tick_counts_only_while_ticks_are_due(relay: Relay, clock: Clock) -> None:
    """From the first interest in an open market, or from the newest tick; None while no tick is due."""
    clock.advance(702)
    assert relay.hub.spot_age_s is None
    relay.client("EURUSD")
    clock.advance(10)
    assert relay.hub.spot_age_s == 10, "no tick yet"
    relay.spot("EURUSD", 108_000)
    relay.turn()
    clock.advance(3)
    relay.hub.expect_ticks(True)
    assert relay.hub.spot_age_s == 3
    relay.hub.expect_ticks(False)
    clock.advance(60)
    assert relay.hub.spot_age_s is None
    relay.hub.expect_ticks(True)
    clock.advance(2)
    assert relay.hub.spot_age_s == 2, "since the market opened"


def test_interest_in_a_closed_or_refused_symbol_makes_no_tick_due(relay: Relay) -> None:
    """A market that is shut sends none, nor does cTrader send a symbol that it refused."""
    shut = Schedule(((0, 60),))
    relay.symbols["EURUSD"] = Symbol(symbol_id=1, name="EURUSD", schedule=shut)
    relay.client("EURUSD")
    assert relay.hub.spot_age_s is None
    relay.feed.explain = lambda name: SymbolFeed(wanted=True, confirmed_at_ms=0, refused="X")  # type: ignore[method-assign]
    relay.client("GBPUSD")
    assert relay.hub.spot_age_s is None


def test_subscribing_twice_costs_nothing_upstream(relay: Relay) -> None:
    """A second subscription of the same client is the same one."""
    client = relay.client("EURUSD")
    relay.subscribe(client, "EURUSD")
    assert relay.feed.calls == [("want", "EURUSD")]
    relay.hub.unsubscribe(client.subscriber, ["EURUSD"])
    assert relay.feed.wanted == []


def test_a_tick_goes_only_to_its_subscribers(relay: Relay) -> None:
    """Who did not ask for a symbol never sees it."""
    euro, gold = relay.client("EURUSD"), relay.client("XAUUSD", "EURUSD")
    relay.spot("XAUUSD", 265_000_000)
    relay.turn()
    assert euro.take() == []
    assert [m["symbol"] for m in gold.take()] == ["XAUUSD"]


def test_one_write_a_client_and_turn(relay: Relay) -> None:
    """All that a turn brings goes out in one send, ticks of a symbol in order."""
    client = relay.client("EURUSD", "GBPUSD")
    for bid in (108_000, 108_001, 108_002):
        relay.spot("EURUSD", bid)
        relay.spot("GBPUSD", bid)
    assert client.sends == 0
    relay.turn()
    assert client.sends == 1
    bids = [m["bid"] for m in client.take() if m["symbol"] == "EURUSD"]
    assert bids == [1.08, 1.08001, 1.08002]


def test_an_absent_side_is_unchanged(relay: Relay) -> None:
    """Zero means that the side did not move; nothing is sent before both sides are known."""
    client = relay.client("EURUSD")
    relay.hub.spot(1, 108_000, 0, 0)
    relay.turn()
    assert client.take() == []
    relay.hub.spot(1, 0, 108_010, 0)
    relay.hub.spot(1, 108_005, 0, 0)
    relay.turn()
    assert [(m["bid"], m["ask"]) for m in client.take()] == [(1.08, 1.0801), (1.08005, 1.0801)]


def test_forward_fill_is_void_after_a_loss(relay: Relay) -> None:
    """After an outage the first partial event is not completed with a price from before it."""
    client = relay.client("EURUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn()
    client.take()
    relay.hub.feed_lost("upstream-disconnect", None)
    relay.hub.spot(1, 108_500, 0, 0)
    relay.turn()
    assert client.take() == []


def test_spots_of_unknown_ids_are_dropped(relay: Relay) -> None:
    """A late event of a symbol that nobody ever asked for is counted and goes nowhere."""
    relay.hub.spot(99, 1, 2, 0)
    assert relay.hub.spots_unwanted == 1


def test_ids_may_change_with_the_session(relay: Relay) -> None:
    """Symbols are known by name: after a new symbol list the same name may have another id."""
    client = relay.client("EURUSD")
    relay.hub.symbols_loaded([Symbol(symbol_id=70, name="EURUSD")])
    relay.hub.spot(70, 108_000, 108_010, 0)
    relay.turn()
    assert [m["symbolId"] for m in client.take()] == [70]


def test_a_stalled_client_gets_the_newest_of_each_symbol_in_one_write(relay: Relay) -> None:
    """Behind: nothing per tick. Drained: one frame a symbol, the newest, counted as conflated."""
    client = relay.client("EURUSD", "GBPUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn()
    client.take()
    client.stall()
    for n in range(100):
        relay.spot("EURUSD", 108_001 + n)
        relay.spot("GBPUSD", 130_001 + n)
        relay.turn(0.01)
    assert client.writes == 1
    client.read()
    messages = client.take()
    # The first frames were in the transport when it stalled; the rest is conflated into one each.
    assert [(m["symbol"], m["seq"], m.get("conflated", 0)) for m in messages] == [
        ("EURUSD", 2, 0),
        ("GBPUSD", 1, 0),
        ("EURUSD", 101, 98),
        ("GBPUSD", 100, 98),
    ]
    sends = client.sends
    relay.spot("EURUSD", 109_000)
    relay.turn(0.01)
    assert client.sends == sends + 1  # back in the fast lane
    assert client.take()[0]["seq"] == 102


def test_a_stuck_client_is_closed_and_others_never_notice(clock: Clock) -> None:
    """Nothing drained for the timeout: closed as a slow consumer; a healthy neighbour keeps its stream."""
    relay = Relay(clock, RelaySettings(stuck_timeout_s=30.0))
    stuck, healthy = relay.client("EURUSD"), relay.client("EURUSD")
    stuck.stall()
    for n in range(40):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(1.0)
        relay.hub.fanout.sweep()
    assert stuck.closed == [CloseCode.SLOW_CONSUMER]
    assert healthy.closed == []
    assert [m["seq"] for m in healthy.take()] == list(range(1, 41))


def test_a_slow_client_that_drains_is_not_stuck(clock: Clock) -> None:
    """A client that takes a long answer little by little makes progress and stays."""
    relay = Relay(clock, RelaySettings(stuck_timeout_s=30.0))
    client = relay.client()
    client.stall()
    client.outbox.write(b"\x81\x02{}" * 200_000)
    for _ in range(10):
        relay.turn(20.0)
        client.read(70_000)
        relay.hub.fanout.sweep()
    assert client.closed == []


def test_answers_to_a_client_that_never_reads_are_bounded(clock: Clock) -> None:
    """Frames of its own are queued up to the bound, then the client is closed."""
    relay = Relay(clock, RelaySettings(max_queued_bytes=100_000))
    client = relay.client()
    client.stall()
    for _ in range(200):
        client.outbox.write(b"x" * 1_000)
    assert client.closed[0] == CloseCode.SLOW_CONSUMER
    assert client.outbox.queued_bytes < 200_000


def test_no_encoding_without_a_subscriber_that_listens(relay: Relay) -> None:
    """Ticks of a symbol nobody listens to cost no bytes: no lane has sent anything."""
    client = relay.client("EURUSD")
    client.stall()
    relay.spot("EURUSD", 108_000)
    relay.turn()
    sent = [lane.bytes for lane in relay.hub.fanout.groups.values()]
    for n in range(10):
        relay.spot("EURUSD", 108_001 + n)
        relay.turn(0.1)
    assert [lane.bytes for lane in relay.hub.fanout.groups.values()] == sent


def test_rate_limited_clients_get_the_newest_at_their_pace(relay: Relay) -> None:
    """maxRate 5: five ticks a second, each accounting for those it swallowed."""
    client = relay.client("EURUSD", rate=5.0)
    for n in range(100):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.01)
    relay.turn(0.2)
    messages = client.take()
    assert 4 <= len(messages) <= 6
    position = 0
    for message in messages:
        assert message["seq"] == position + 1 + message.get("conflated", 0)
        position = message["seq"]
    assert position == 100


def test_a_paused_client_gets_nothing_and_then_the_newest(relay: Relay) -> None:
    """Paused: silence. Resumed: one frame a symbol that moved."""
    client = relay.client("EURUSD", "GBPUSD")
    relay.hub.set_paused(client.subscriber, True)
    for n in range(10):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.1)
    assert client.take() == []
    relay.hub.set_paused(client.subscriber, False)
    assert [(m["seq"], m["conflated"]) for m in client.take()] == [(10, 9)]


def test_joining_between_tick_and_flush_gives_no_tick_twice(relay: Relay) -> None:
    """A client that leaves and joins a cohort while ticks wait sees each of them once."""
    client = relay.client("EURUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn()
    relay.spot("EURUSD", 108_001)
    relay.subscribe(client, "GBPUSD")
    relay.spot("EURUSD", 108_002)
    relay.turn(0.1)
    assert [m["seq"] for m in client.take()] == [1, 2, 3]


def test_an_outage_is_declared_once_a_symbol(relay: Relay) -> None:
    """Who asked for gaps is told of each outage once, before the first tick after it; seq does not jump."""
    client = relay.client("EURUSD")
    client.subscriber.features = frozenset({"gap"})
    basic = relay.client("EURUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn(1.0)
    relay.hub.feed_lost("upstream-disconnect", None)
    relay.hub.feed_lost("upstream-disconnect", None)
    relay.turn(9.0)
    relay.spot("EURUSD", 108_100)
    relay.spot("EURUSD", 108_101)
    relay.turn(1.0)
    before, gap, *after = client.take()
    assert (before["seq"], gap["type"], gap["afterSeq"], gap["cause"]) == (1, "gap", 1, "upstream-disconnect")
    assert gap["toMs"] - gap["fromMs"] == 10_000
    assert [m["seq"] for m in after] == [2, 3]
    assert [m["type"] for m in basic.take()] == ["tick"] * 3


def test_resume_gives_all_that_was_missed_or_nothing(relay: Relay) -> None:
    """Within the history: exactly the missed ticks. Another run, or beyond it: None."""
    client = relay.client("EURUSD")
    channel = relay.hub.channels["EURUSD"]
    relay.hub.keep_history(channel)
    for n in range(20):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.1)
    relay.hub.detach(client.subscriber)
    missed = relay.hub.missed_since(channel, EPOCH, 12)
    assert missed is not None
    assert [t.seq for t in missed] == list(range(13, 21))
    assert relay.hub.missed_since(channel, EPOCH, 20) == ()
    assert relay.hub.missed_since(channel, "other", 12) is None
    assert relay.hub.missed_since(channel, EPOCH, 99) is None


def test_nothing_is_resumed_across_an_outage(relay: Relay) -> None:
    """A hole upstream is no counted tick: who was away over it gets a snapshot."""
    relay.client("EURUSD")
    channel = relay.hub.channels["EURUSD"]
    relay.hub.keep_history(channel)
    relay.spot("EURUSD", 108_000)
    relay.turn()
    relay.hub.feed_lost("upstream-disconnect", None)
    assert relay.hub.missed_since(channel, EPOCH, 1) is None
    relay.spot("EURUSD", 108_001)
    relay.turn(0.1)
    assert relay.hub.missed_since(channel, EPOCH, 1) is None
    assert relay.hub.missed_since(channel, EPOCH, 2) == ()


def test_a_flush_waits_as_long_as_the_last_one_took(clock: Clock) -> None:
    """Under overload the turn carries more: at most half of the time is spent sending."""
    relay = Relay(clock)
    client = relay.client("EURUSD")
    send = client.outbox.send

    def slow(data: bytes) -> int:
        clock.rightNow += 0.004
        return send(data)

    client.outbox.send = slow
    relay.spot("EURUSD", 108_000)
    relay.turn()
    relay.spot("EURUSD", 108_001)
    relay.turn(0.001)
    relay.spot("EURUSD", 108_002)
    assert client.sends == 1
    relay.turn(0.004)
    assert client.sends == 2


def test_history_that_begins_in_an_outage_resumes_nothing_across_it(relay: Relay) -> None:
    """The first client that can resume comes while upstream is away: what was missed then stays missed."""
    basic = relay.client("EURUSD")
    for n in range(5):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.1)
    relay.hub.feed_lost("upstream-disconnect", None)
    channel = relay.hub.channels["EURUSD"]
    relay.hub.keep_history(channel)
    relay.spot("EURUSD", 108_100)
    relay.turn(0.1)
    assert relay.hub.missed_since(channel, EPOCH, 5) is None
    assert basic.subscriber.channels
