"""Every hole in a client's stream that an outage made while it was subscribed is declared to it."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twisted.internet.task import Clock

from tests.relay.test_slices import TurnClock, smallest_slices
from tests.support.relay import FakeClient, Relay, TlsClient
from tickrelay.relay.channel import NO_SUBSCRIBERS

NAMES = ("EURUSD", "GBPUSD")
CLIENTS = st.integers(0, 3)
SYMBOLS = st.sampled_from(NAMES)


class Subscription:
    """One client's stream of one symbol, and the outages that it was subscribed through."""

    def __init__(self, at: int) -> None:
        self.position = at
        """The seq of its last tick; in the beginning of the tick that a snapshot would show it."""
        self.got_any = at > 0
        self.lost_after: set[int] = set()
        """Positions of the relay after which the feed was lost; the first tick after one must follow a gap."""
        self.declared: set[int] = set()


class Outages(RuleBasedStateMachine):
    """Four clients with the feature ``gap``, two symbols, and a feed that is lost again and again."""

    make_clock = Clock

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.make_clock()
        self.relay = Relay(self.clock)
        self.price = 100_000
        kinds = (FakeClient, TlsClient)
        self.clients = [self.relay.client(kind=kinds[n % 2]) for n in range(4)]
        for client in self.clients:
            client.subscriber.features = frozenset({"gap"})
        self.streams: list[dict[str, Subscription]] = [{} for _ in self.clients]

    def seq(self, name: str) -> int:
        """How many ticks of the symbol the relay has counted."""
        channel = self.relay.hub.channels.get(name)
        return channel.seq if channel is not None else 0

    @rule(name=SYMBOLS, count=st.integers(1, 3), seconds=st.sampled_from([None, 0.0, 0.01, 1.0]))
    def ticks(self, name: str, count: int, seconds: float | None) -> None:
        """The market moves; None: the turn goes on."""
        for _ in range(count):
            self.price += 1
            self.relay.spot(name, self.price)
        if seconds is not None:
            self.relay.turn(seconds)

    @rule(name=SYMBOLS)
    def partial_spot(self, name: str) -> None:
        """A spot event with one side."""
        self.price += 1
        self.relay.hub.spot(self.relay.symbols[name].symbol_id, self.price, 0, 0)

    @rule(names=st.none() | st.sets(SYMBOLS, min_size=1), cause=st.sampled_from(["stale", "upstream-disconnect"]))
    def outage(self, names: set[str] | None, cause: str) -> None:
        """The feed is lost."""
        for streams in self.streams:
            for name, stream in streams.items():
                if names is None or name in names:
                    stream.lost_after.add(self.seq(name))
        self.relay.hub.feed_lost(cause, None if names is None else sorted(names))

    @rule(confirmed=st.booleans())
    def confirmed(self, confirmed: bool) -> None:
        """Upstream has, or has not, the subscriptions still."""
        self.relay.feed.confirmed = confirmed

    @rule(n=CLIENTS, name=SYMBOLS)
    def subscribe(self, n: int, name: str) -> None:
        """A client subscribes."""
        if name not in self.streams[n]:
            self.settle()
            self.relay.subscribe(self.clients[n], name)
            self.streams[n][name] = Subscription(self.seq(name))

    @rule(n=CLIENTS, name=SYMBOLS)
    def unsubscribe(self, n: int, name: str) -> None:
        """A client that has read everything unsubscribes."""
        self.clients[n].read()
        self.relay.hub.unsubscribe(self.clients[n].subscriber, [name])
        self.streams_are_true()
        self.streams[n].pop(name, None)

    @rule(n=CLIENTS, room=st.sampled_from([0, 60]))
    def stall(self, n: int, room: int) -> None:
        """A client stops reading."""
        self.clients[n].room = room

    @rule(n=CLIENTS)
    def read(self, n: int) -> None:
        """A client reads on."""
        self.clients[n].read()

    @invariant()
    def streams_are_true(self) -> None:
        """Between two ticks that follow each other every outage is declared, by a real cause."""
        for client, streams in zip(self.clients, self.streams, strict=True):
            for message in client.take():
                stream = streams[message["symbol"]]
                if message["type"] == "gap":
                    assert message["cause"] != NO_SUBSCRIBERS
                    assert message["afterSeq"] not in stream.declared, "declared twice"
                    stream.declared.add(message["afterSeq"])
                    continue
                first, last = stream.position, message["seq"]
                if stream.got_any:
                    assert {at for at in stream.lost_after if first <= at < last} <= stream.declared, message
                stream.position, stream.got_any = last, True

    def teardown(self) -> None:
        """All read to the end."""
        for name in NAMES:
            self.ticks(name, 1, 1.0)
        for client in self.clients:
            client.read()
        self.settle()
        self.streams_are_true()

    def settle(self) -> None:
        """All that is to be sent is sent."""
        self.relay.turn(0.1)


Outages.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_every_outage_is_declared = Outages.TestCase


class SlicedOutages(Outages):
    """The same, with flushes and declarations that stop after every single client."""

    make_clock = TurnClock

    def __init__(self) -> None:
        self._patch = smallest_slices()
        super().__init__()

    def settle(self) -> None:
        """As many turns as it takes."""
        for _ in range(50):
            self.relay.turn(0.1)

    def teardown(self) -> None:
        """All read to the end."""
        try:
            super().teardown()
        finally:
            self._patch.undo()


SlicedOutages.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_every_outage_is_declared_in_slices = SlicedOutages.TestCase


def test_ticks_of_the_same_turn_are_sent_before_the_gap(clock: Clock) -> None:
    """A tick, the loss and the next tick before anything was sent: the client gets them in that order."""
    relay = Relay(clock)
    client = relay.client("EURUSD")
    client.subscriber.features = frozenset({"gap"})
    clock.advance(1)
    for bid in (108_000, 108_001):
        relay.spot("EURUSD", bid)
    relay.hub.feed_lost("stale", None)
    relay.spot("EURUSD", 108_002)
    relay.turn(1.0)
    assert [m.get("seq", m["type"]) for m in client.take()] == [1, 2, "gap", 3]


def test_an_outage_without_subscribers_does_not_hide_the_next_one(clock: Clock) -> None:
    """Lost while nobody subscribes, then subscribed, then lost again before the first tick: declared."""
    relay = Relay(clock)
    first = relay.client("EURUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn(1.0)
    relay.hub.detach(first.subscriber)
    relay.hub.feed_lost("upstream-disconnect", None)
    client = relay.client("EURUSD")
    client.subscriber.features = frozenset({"gap"})
    relay.hub.feed_lost("stale", ["EURUSD"])
    relay.spot("EURUSD", 108_100)
    relay.turn(1.0)
    assert [(m["type"], m.get("cause")) for m in client.take()] == [("gap", "stale"), ("tick", None)]


def test_a_cause_that_was_heard_is_kept(clock: Clock) -> None:
    """Lost with a subscriber, then without one: the first cause is declared to whoever subscribes at the next tick."""
    relay = Relay(clock)
    client = relay.client("EURUSD")
    client.subscriber.features = frozenset({"gap"})
    relay.spot("EURUSD", 108_000)
    relay.turn(1.0)
    relay.hub.feed_lost("stale", ["EURUSD"])
    relay.hub.feed_lost("upstream-disconnect", None)
    relay.spot("EURUSD", 108_100)
    relay.turn(1.0)
    assert [m.get("cause") for m in client.take() if m["type"] == "gap"] == ["stale"]
