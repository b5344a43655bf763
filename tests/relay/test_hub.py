"""The hub: interest, the way of a tick, outages and resumption."""

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.support.relay import EPOCH, Relay
from tickrelay.config.settings import RelaySettings
from tickrelay.model.feed import IFeedListener, SymbolFeed
from tickrelay.model.schedule import Schedule
from tickrelay.model.ticks import Symbol


def test_the_hub_is_a_feed_listener(relay: Relay) -> None:
    """The hub provides the seam that upstream calls."""
    assert verifyObject(IFeedListener, relay.hub)


def test_first_interest_subscribes_and_last_unsubscribes(relay: Relay) -> None:
    """The feed gets one want when a symbol's first client comes and one unwant when its last leaves."""
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
    """A client gets no tick of a symbol that it has not subscribed."""
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
    """A late event of a symbol that no client has subscribed is counted and not sent."""
    relay.hub.spot(99, 1, 2, 0)
    assert relay.hub.spots_unwanted == 1


def test_ids_may_change_with_the_session(relay: Relay) -> None:
    """Symbols are known by name: after a new symbol list the same name may have another id."""
    client = relay.client("EURUSD")
    relay.hub.symbols_loaded([Symbol(symbol_id=70, name="EURUSD")])
    relay.hub.spot(70, 108_000, 108_010, 0)
    relay.turn()
    assert [m["symbolId"] for m in client.take()] == [70]


def test_an_outage_is_declared_once_a_symbol(relay: Relay) -> None:
    """Clients with the feature ``gap`` get each outage once, before the first tick after it; seq does not jump."""
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
    """Ticks lost upstream have no seq: a client that was away over the outage gets a snapshot."""
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


def test_history_that_begins_in_an_outage_resumes_nothing_across_it(relay: Relay) -> None:
    """History that begins during an outage cannot be resumed from a position before it."""
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


def test_ticks_that_cannot_be_replayed_are_not_kept(clock: Clock) -> None:
    """A client that missed more than the limit of a replay gets a snapshot, so no more ticks than that are of use."""
    relay = Relay(clock, RelaySettings(history_ticks=500, replay_ticks=100))
    relay.client("EURUSD")
    channel = relay.hub.channels["EURUSD"]
    relay.hub.keep_history(channel)
    for number in range(400):
        relay.spot("EURUSD", 100_000 + number)
        relay.turn(0.01)
    assert channel.history is not None and len(channel.history) <= 200
    assert relay.hub.missed_since(channel, relay.hub.epoch, channel.seq - 100) is not None
