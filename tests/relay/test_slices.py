"""A flush in slices: the reactor reads between them, and every client's stream stays as true as in one piece."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from twisted.internet.task import Clock

from tests.relay.test_fanout import CLIENTS, SYMBOLS, Lanes
from tests.support.relay import FakeClient, Relay
from tickrelay.relay import cohort, fanout

SEND_S = 0.000_01
"""What one client's write costs in these tests."""


class TurnClock(Clock):
    """Calls in an ``advance`` only what was asked for before it, as the reactor does in a turn; Clock calls all."""

    def advance(self, amount: float) -> None:
        """Let time pass, and make the calls that are due."""
        self.rightNow += amount
        due = [call for call in self.calls if call.getTime() <= self.rightNow]  # type: ignore[attr-defined]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1  # type: ignore[attr-defined]
                call.func(*call.args, **call.kw)  # type: ignore[attr-defined]


def smallest_slices() -> pytest.MonkeyPatch:
    """A flush stops after every single send; until this is undone."""
    patch = pytest.MonkeyPatch()
    patch.setattr(fanout, "SLICE_S", 0.0)
    patch.setattr(cohort, "SENDS_A_LOOK", 1)
    patch.setattr(fanout, "SENDS_A_LOOK", 1)
    return patch


def lengths_of_turns(clock: Clock) -> list[float]:
    """Let the reactor turn until nothing is left to do: how long each turn took that did something, in seconds."""
    turns = []
    while clock.getDelayedCalls():
        before = clock.seconds()
        clock.advance(0)
        if clock.seconds() == before:
            clock.advance(0.001)
        else:
            turns.append(clock.seconds() - before)
    return turns


def crowd(relay: Relay, clock: Clock, clients: int, *names: str) -> list[FakeClient]:
    """Clients whose writes take time."""
    found = []
    for _ in range(clients):
        client = relay.client(*names)
        send = client.outbox.send

        def slow(data: bytes, send: object = send) -> int:
            clock.rightNow += SEND_S
            return send(data)  # type: ignore[operator,no-any-return]

        client.outbox.send = slow
        found.append(client)
    return found


@pytest.mark.parametrize("apart", [False, True], ids=["one list for all", "a list for each"])
def test_no_turn_is_longer_than_a_slice(apart: bool) -> None:
    """However many clients a tick has, the reactor reads after some milliseconds; all get the tick once."""
    clock = TurnClock()
    relay = Relay(clock)
    clients = crowd(relay, clock, 5_000, "EURUSD")
    if apart:
        for number, client in enumerate(clients):
            others = [name for bit, name in enumerate(("GBPUSD", "USDJPY", "XAUUSD", "BTCUSD")) if number >> bit & 1]
            relay.subscribe(client, *others)
    clock.advance(1)
    relay.spot("EURUSD", 108_000)
    turns = lengths_of_turns(clock)
    assert all([tick["seq"] for tick in client.take()] == [1] for client in clients)
    assert len(turns) >= 5
    assert max(turns) <= fanout.SLICE_S + 2 * cohort.SENDS_A_LOOK * SEND_S


def test_ticks_that_come_meanwhile_wait_for_the_next_flush() -> None:
    """Whoever is served first does not get ahead: the next flush begins when this one has served all."""
    clock = TurnClock()
    relay = Relay(clock)
    clients = crowd(relay, clock, 2_000, "EURUSD")
    clock.advance(1)
    relay.spot("EURUSD", 108_000)
    relay.spot("EURUSD", 108_001)
    served = [bool(client.received) for client in clients]
    assert any(served) and not all(served)
    while clock.getDelayedCalls():
        clock.advance(0.001)
    assert all([tick["seq"] for tick in client.take()] == [1, 2] for client in clients)


def test_a_whole_flush_ends_the_one_that_goes_on() -> None:
    """Before a gap is declared, the ticks before it are sent to those too whose turn has not come."""
    clock = TurnClock()
    relay = Relay(clock)
    clients = crowd(relay, clock, 2_000, "EURUSD")
    clock.advance(1)
    relay.spot("EURUSD", 108_000)
    assert not all(client.received for client in clients)
    relay.hub.fanout.flush()
    assert all([tick["seq"] for tick in client.take()] == [1] for client in clients)


def test_a_gap_is_declared_in_slices_before_the_ticks_after_it() -> None:
    """No turn is longer, of several symbols too; a client gets its gaps in one write, and then its ticks."""
    clock = TurnClock()
    relay = Relay(clock)
    names = ("EURUSD", "GBPUSD", "USDJPY")
    clients = crowd(relay, clock, 3_000, *names)
    for client in clients:
        client.subscriber.features = frozenset({"gap"})
    clients[0].subscriber.features = frozenset()
    clients[1].stall()
    for name in names:
        relay.spot(name, 108_000)
    while clock.getDelayedCalls():
        clock.advance(1)
    for client in clients[1:]:
        client.take()
        client.sends = 0
    clients[0].take()
    relay.hub.feed_lost("stale", None)
    before = clock.seconds()
    for name in names:
        relay.spot(name, 108_001)
    turns = [clock.seconds() - before, *lengths_of_turns(clock)]
    assert max(turns) <= fanout.SLICE_S + 2 * cohort.SENDS_A_LOOK * SEND_S
    assert [m["type"] for m in clients[0].take()] == ["tick"] * 3
    for client in clients[2:]:
        assert [(m["type"], m["symbol"]) for m in client.take()] == [
            *[("gap", name) for name in names],
            *[("tick", name) for name in names],
        ]
        assert client.sends == 2
    clients[1].read()
    kinds = [(m["type"], m.get("seq")) for m in clients[1].take() if m["symbol"] == "EURUSD"]
    assert kinds == [("tick", 1), ("gap", None), ("tick", 2)]


def test_a_gap_waits_behind_the_flush_that_goes_on() -> None:
    """Clients that it has not reached yet are sent its ticks, then the gap, then the tick after it."""
    clock = TurnClock()
    relay = Relay(clock)
    clients = crowd(relay, clock, 2_000, "EURUSD")
    for client in clients:
        client.subscriber.features = frozenset({"gap"})
    clock.advance(1)
    relay.spot("EURUSD", 108_000)
    assert not all(client.received for client in clients)
    relay.hub.feed_lost("stale", None)
    before = clock.seconds()
    relay.spot("EURUSD", 108_001)
    assert clock.seconds() - before < fanout.SLICE_S
    while clock.getDelayedCalls():
        clock.advance(0.001)
    assert all([m["type"] for m in client.take()] == ["tick", "gap", "tick"] for client in clients)


def test_a_client_that_leaves_the_list_meanwhile_gets_its_ticks_first() -> None:
    """Changed lists, other encodings, pauses: what it was promised is sent before; a newcomer begins after it."""
    clock = TurnClock()
    relay = Relay(clock)
    clients = crowd(relay, clock, 2_000, "EURUSD")
    clock.advance(1)
    relay.spot("EURUSD", 108_000)
    *_, leaves, pauses, adds = (client for client in clients if not client.received)
    relay.hub.unsubscribe(leaves.subscriber, ["EURUSD"])
    relay.hub.set_paused(pauses.subscriber, True)
    relay.subscribe(adds, "GBPUSD")
    assert [[tick["seq"] for tick in client.take()] for client in (leaves, pauses, adds)] == [[1]] * 3
    newcomer = relay.client("EURUSD")
    while clock.getDelayedCalls():
        clock.advance(0.001)
    assert leaves.take() == pauses.take() == adds.take() == newcomer.take() == []


class SlicedLanes(Lanes):
    """The same clients and market, with a flush that stops after every single send."""

    make_clock = TurnClock

    def __init__(self) -> None:
        self._patch = smallest_slices()
        super().__init__()

    @rule(n=CLIENTS, names=st.sets(SYMBOLS, min_size=1))
    def unsubscribe(self, n: int, names: set[str]) -> None:
        """A client gives symbols back; ticks of a flush that has not reached it yet come first."""
        self.streams[n].left_late |= names & set(self.streams[n].positions)
        super().unsubscribe(n, names)

    def teardown(self) -> None:
        """Let the last flush end."""
        try:
            for _ in range(200):
                self.relay.turn(0.1)
            super().teardown()
        finally:
            self._patch.undo()


SlicedLanes.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_sliced_lanes = SlicedLanes.TestCase
