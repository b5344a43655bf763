"""Whatever the mix of groups, stalls, pauses, rates and resumptions, every client's stream stays true."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twisted.internet.task import Clock

from tests.support.relay import NAMES, FakeClient, Relay, TlsClient

CLIENTS = st.integers(0, 5)
SYMBOLS = st.sampled_from(NAMES)
RATES = (0.0, 0.0, 0.0, 0.0, 5.0, 1.0)


class Stream:
    """What one client has seen and may see, kept apart from the relay's own books."""

    def __init__(self, client: FakeClient, rate: float) -> None:
        self.client = client
        self.rate = rate
        self.positions: dict[str, int] = {}
        """Subscribed symbols -> the seq after which its stream goes on."""
        self.last_bid: dict[str, float] = {}
        self.left_late: set[str] = set()
        """Symbols given back while bytes were on the way: what was sent before may still arrive."""

    def check(self, message: dict[str, Any]) -> None:
        """Hold one tick against what was promised."""
        name = message["symbol"]
        if name not in self.positions:
            assert name in self.left_late, f"{name} was never asked for"
            return
        if name in self.left_late and message["seq"] <= self.positions[name]:
            return  # from the subscription before this one
        self.left_late.discard(name)
        assert message["seq"] == self.positions[name] + 1 + message.get("conflated", 0), message
        self.positions[name] = message["seq"]
        self.last_bid[name] = message["bid"]


class Lanes(RuleBasedStateMachine):
    """Six clients with different ways to be slow, five symbols, and a market that does not wait."""

    make_clock: type[Clock] = Clock

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.make_clock()
        self.relay = Relay(self.clock)
        self.price = 100_000
        self.newest: dict[str, float] = {}
        encodings = self.relay.encodings
        kinds = (FakeClient, TlsClient)
        self.streams = [
            Stream(self.relay.client(encoding=encodings.v1_json, kind=kinds[n % 2]), rate)
            for n, rate in enumerate(RATES)
        ]

    @rule(name=SYMBOLS, count=st.integers(1, 5))
    def ticks(self, name: str, count: int) -> None:
        """The market moves."""
        for _ in range(count):
            self.price += 1
            self.relay.spot(name, self.price)
            if name in self.relay.hub.channels:
                self.newest[name] = self.price / 100_000

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 2.0]))
    def turn(self, seconds: float) -> None:
        """Time goes on."""
        self.relay.turn(seconds)

    @rule(n=CLIENTS, names=st.sets(SYMBOLS, min_size=1))
    def subscribe(self, n: int, names: set[str]) -> None:
        """A client asks for symbols, perhaps again."""
        stream = self.streams[n]
        self.relay.subscribe(stream.client, *sorted(names), rate=stream.rate)
        for name in names - set(stream.positions):
            stream.positions[name] = self.relay.hub.channels[name].sent_seq

    @rule(n=CLIENTS, names=st.sets(SYMBOLS, min_size=1))
    def unsubscribe(self, n: int, names: set[str]) -> None:
        """A client gives symbols back."""
        stream = self.streams[n]
        self.drain_inbox(stream)
        self.relay.hub.unsubscribe(stream.client.subscriber, sorted(names))
        for name in names & set(stream.positions):
            del stream.positions[name]
            stream.last_bid.pop(name, None)
            if stream.client.buffer:
                stream.left_late.add(name)

    @rule(n=CLIENTS, room=st.sampled_from([0, 1, 7, 60, 200, 1000]))
    def stall(self, n: int, room: int) -> None:
        """A client stops reading; its socket takes a little more."""
        self.streams[n].client.room = room

    @rule(n=CLIENTS, size=st.sampled_from([1, 50, 500, float("inf")]))
    def read(self, n: int, size: float) -> None:
        """A client reads on."""
        self.streams[n].client.read(size)

    @rule(n=CLIENTS, paused=st.booleans())
    def pause(self, n: int, paused: bool) -> None:
        """A client holds its ticks back, or goes on."""
        self.relay.hub.set_paused(self.streams[n].client.subscriber, paused)

    @rule(n=CLIENTS)
    def answer(self, n: int) -> None:
        """A client gets a frame of its own in between."""
        client = self.streams[n].client
        client.outbox.write(b"\x81\x02{}")

    def drain_inbox(self, stream: Stream) -> None:
        """Check what has arrived."""
        for message in stream.client.take():
            if message.get("type") == "tick":
                stream.check(message)

    @invariant()
    def streams_are_true(self) -> None:
        """In order, accounted for, and nothing that was not asked for."""
        for stream in self.streams:
            self.drain_inbox(stream)

    @invariant()
    def slow_clients_hold_little(self) -> None:
        """What waits for a client is bounded by its symbols, not by the ticks it missed."""
        for stream in self.streams:
            assert len(stream.client.buffer) < 40_000
            assert len(stream.client.subscriber.positions) <= len(NAMES)

    @invariant()
    def interest_is_the_union_of_wants(self) -> None:
        """Upstream is asked for exactly what somebody subscribes."""
        wanted = {name for stream in self.streams for name in stream.positions}
        assert set(self.relay.feed.wanted) == wanted

    def teardown(self) -> None:
        """When everybody reads again, everybody ends on the newest price of every symbol that moved for them."""
        self.relay.turn(1.0)
        for stream in self.streams:
            stream.client.read()
            self.relay.hub.set_paused(stream.client.subscriber, False)
        self.relay.turn(2.0)
        self.relay.turn(2.0)
        for stream in self.streams:
            self.drain_inbox(stream)
            for name, position in stream.positions.items():
                assert position == self.relay.hub.channels[name].seq, name
                if name in stream.last_bid:
                    assert stream.last_bid[name] == self.newest[name]
            self.relay.hub.detach(stream.client.subscriber)
        assert self.relay.feed.wanted == []


Lanes.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_lanes = Lanes.TestCase
