"""The rest after a flush is earned by load: none while one write a tick fits, and steady at any load."""

from collections.abc import Iterator
from statistics import mean

import pytest

from twisted.internet.task import Clock

from tests.support.relay import Relay
from tickrelay.relay.fanout import MAX_REST_S, SLICE_S

SEND_S = 0.000_1
"""What one client's write costs in these tests."""


class Busy:
    """A relay whose writes take time, with *clients* of one symbol, fed for a while at a steady rate."""

    def __init__(self, clients: int) -> None:
        self.clock = Clock()
        self.relay = Relay(self.clock)
        self.fanout = self.relay.hub.fanout
        for _ in range(clients):
            outbox = self.relay.client("EURUSD").outbox

            def slow(data: bytes) -> int:
                self.clock.rightNow += SEND_S
                return len(data)

            outbox.send = slow
        self.price = 100_000
        self.next_s = 0.0

    def feed(self, per_s: float, seconds: float, burst: int = 1) -> Iterator[float]:
        """Feed ticks, *burst* at a time; yields each tick's age when it is sent (seconds).

        As in a reactor, what was due while it was busy is received together, in its next turn.
        """
        end_s = self.next_s + seconds
        waiting: list[float] = []
        flushes = self.fanout.counters.flushes
        while self.next_s < end_s:
            self.clock.advance(max(0.0, self.next_s - self.clock.seconds()))
            while self.next_s <= min(self.clock.seconds(), end_s):
                for _ in range(burst):
                    self.price += 1
                    waiting.append(self.next_s)
                    self.relay.spot("EURUSD", self.price)
                self.next_s += burst / per_s
            self.clock.advance(0)
            if self.fanout.counters.flushes > flushes:
                flushes = self.fanout.counters.flushes
                yield from (self.clock.seconds() - at_s for at_s in waiting)
                waiting.clear()


@pytest.mark.parametrize("load", [0.1, 0.3, 0.5])
def test_without_load_there_is_no_rest(load: float) -> None:
    """Each tick is sent when it comes: its age is what its own flush takes."""
    busy = Busy(20)
    ages = list(busy.feed(load / (20 * SEND_S), 3))
    assert max(ages[10:]) <= 20 * SEND_S + 1e-9
    assert busy.fanout.counters.flushes >= len(ages) * 0.99


@pytest.mark.parametrize("load", [0.3, 0.7, 0.95, 1.5, 3.0])
@pytest.mark.parametrize("burst", [1, 5])
def test_the_load_is_the_demand_whether_there_is_a_rest_or_not(load: float, burst: int) -> None:
    """Estimated from ticks and clients; so it does not fall when the rest begins, and the rest does not come and go."""
    busy = Busy(20)
    list(busy.feed(load / (20 * SEND_S), 1, burst))
    seen = []
    for _ in range(100):
        list(busy.feed(load / (20 * SEND_S), 0.03, burst))
        seen.append(busy.fanout.load)
    assert mean(seen) == pytest.approx(load, rel=0.25)
    assert max(seen) - min(seen) < 0.35 * load


def test_under_overload_half_of_the_time_is_left_for_receiving() -> None:
    """A flush is followed by a rest as long as itself, at most `MAX_REST_S`; then one flush carries many ticks."""
    busy = Busy(20)
    before = busy.fanout.counters.flush_s
    ages = list(busy.feed(2_000, 5))
    assert (busy.fanout.counters.flush_s - before) / 5 < 0.55
    assert busy.fanout.counters.flushes < len(ages) / 3
    assert max(ages[100:]) < 2 * (20 * SEND_S + MAX_REST_S)


def test_a_burst_after_quiet_leaves_no_rest_behind() -> None:
    """A single burst is sent in one flush; a moment later ticks leave at once again."""
    busy = Busy(20)
    list(busy.feed(10, 1))
    list(busy.feed(1e6, 1e-6, 50))
    busy.next_s += 0.4
    assert max(busy.feed(10, 1)) <= 20 * SEND_S + 1e-9


def test_the_load_is_learnt_from_flushes_that_take_several_turns() -> None:
    """With so many clients every flush is cut into slices: its first one tells what a send takes."""
    busy = Busy(200)
    assert 200 * SEND_S > 2 * SLICE_S
    list(busy.feed(100, 2))
    assert busy.fanout.load == pytest.approx(2.0, rel=0.25)
