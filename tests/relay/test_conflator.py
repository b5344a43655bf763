"""Rates: the first tick after a quiet time leaves at once, further ones a period apart, and always the newest."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tests.support.relay import FakeClient, Relay
from tickrelay.relay.conflator import COALESCE_S


def arrivals(relay: Relay, client: FakeClient, ticks_s: list[float], until_s: float) -> list[tuple[float, int]]:
    """When which seq reached *client*, in seconds from now, with ticks of EURUSD at these times."""
    found: list[tuple[float, int]] = []
    now_s, step_s = 0.0, 0.001
    left = sorted(ticks_s)
    while now_s < until_s:
        while left and left[0] <= now_s + 1e-9:
            relay.spot("EURUSD", 108_000 + len(left))
            left.pop(0)
        relay.turn()
        found += [(round(now_s, 3), tick["seq"]) for tick in client.take()]
        relay.turn(step_s)
        now_s += step_s
        found += [(round(now_s, 3), tick["seq"]) for tick in client.take()]
    return found


def test_a_tick_after_a_quiet_time_leaves_at_once(relay: Relay) -> None:
    """Rarer than the limit, ticks are not delayed by it."""
    client = relay.client("EURUSD", rate=5.0)
    seen = arrivals(relay, client, [0.0, 0.5, 1.3], 2.0)
    assert [seq for _, seq in seen] == [1, 2, 3]
    assert all(at_s - tick_s <= 0.002 for (at_s, _), tick_s in zip(seen, [0.0, 0.5, 1.3], strict=True))


def test_the_next_comes_when_it_is_due(relay: Relay) -> None:
    """Not before a period has passed since the one before, and not later than the timer's grain."""
    client = relay.client("EURUSD", rate=5.0)
    seen = arrivals(relay, client, [0.0, 0.01, 0.02, 0.03], 1.0)
    assert [seq for _, seq in seen] == [1, 4]
    assert 0.2 <= seen[1][0] - seen[0][0] <= 0.2 + COALESCE_S + 0.002


def test_without_ticks_there_is_no_timer(relay: Relay, clock: Clock) -> None:
    """After the last rest nothing is scheduled any more, and the next tick leaves at once again."""
    client = relay.client("EURUSD", rate=5.0)
    arrivals(relay, client, [0.0], 0.5)
    assert not clock.getDelayedCalls()
    assert len(arrivals(relay, client, [0.0], 0.01)) == 1


def test_one_timer_serves_all_clients_of_a_rate(relay: Relay, clock: Clock) -> None:
    """However many subscriptions rest."""
    clients = [relay.client("EURUSD", "GBPUSD", rate=2.0) for _ in range(50)]
    relay.spot("EURUSD", 108_000)
    relay.spot("GBPUSD", 128_000)
    relay.turn(0.01)
    assert all(len(client.take()) == 2 for client in clients)
    assert len(clock.getDelayedCalls()) == 1


def test_clients_of_one_moment_share_the_frame(relay: Relay) -> None:
    """The newest tick is encoded once for all who get it."""
    encoding = relay.encodings.v1_json
    clients = [relay.client("EURUSD", rate=2.0, encoding=encoding) for _ in range(20)]
    made: list[int] = []
    original = type(encoding).newest

    def counted(self: object, tick: object, conflated: int) -> bytes:
        made.append(conflated)
        return original(self, tick, conflated)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(encoding), "newest", counted)
        relay.spot("EURUSD", 108_000)
        relay.spot("EURUSD", 108_001)
        relay.turn(1.0)
        relay.spot("EURUSD", 108_002)
        relay.turn(1.0)
    assert [[m["seq"] for m in client.take()] for client in clients] == [[2, 3]] * 20
    assert made == [1, 0]


def test_a_paused_client_is_sent_the_newest_when_the_pause_ends(relay: Relay) -> None:
    """Ticks that came during the pause are not forgotten, though no tick follows them."""
    client = relay.client("EURUSD", rate=5.0)
    relay.hub.set_paused(client.subscriber, True)
    relay.spot("EURUSD", 108_001)
    relay.turn(0.3)
    assert client.take() == []
    relay.hub.set_paused(client.subscriber, False)
    assert [m["seq"] for m in client.take()] == [1]


def test_a_client_that_was_blocked_is_sent_the_newest_when_it_reads(relay: Relay, clock: Clock) -> None:
    """No timer runs for it meanwhile."""
    client = relay.client("EURUSD", rate=5.0)
    client.stall()
    for n in range(20):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.1)
    assert not clock.getDelayedCalls()
    client.read()
    assert [m["seq"] for m in client.take()] == [1, 20]


def test_a_rate_that_changes_keeps_the_position(relay: Relay) -> None:
    """From every tick to few and back: nothing twice, nothing lost, what was left out is counted."""
    client = relay.client("EURUSD", encoding=relay.encodings.v1_json)
    seen = []
    for n, rate in enumerate((0.0, 2.0, 5.0, 5.0, 0.0, 1.0)):
        relay.hub.set_rate(client.subscriber, rate)
        for i in range(3):
            relay.spot("EURUSD", 108_000 + 10 * n + i)
            relay.turn(0.01)
        seen += client.take()
    relay.turn(2)
    seen += client.take()
    position = 0
    for tick in seen:
        assert tick["seq"] == position + 1 + tick.get("conflated", 0)
        position = tick["seq"]
    assert position == 18


def test_nothing_is_kept_of_a_client_that_left(relay: Relay, clock: Clock) -> None:
    """Neither of one that rests nor of one that is ready, nor of a symbol that was given back."""
    rests, ready, gives_back = (relay.client("EURUSD", rate=5.0) for _ in range(3))
    relay.spot("EURUSD", 108_000)
    relay.turn(0.01)
    relay.hub.unsubscribe(gives_back.subscriber, ["EURUSD"])
    relay.hub.detach(rests.subscriber)
    relay.turn(0.5)
    relay.hub.detach(ready.subscriber)
    (conflator,) = relay.hub.fanout._conflators.values()
    assert not conflator._ready and not conflator._resting
    relay.turn(1)
    assert not clock.getDelayedCalls()


@given(st.lists(st.integers(0, 2_000), max_size=40), st.sampled_from([1.0, 5.0, 20.0]))
def test_never_faster_than_the_rate_and_never_an_old_price_at_the_end(times_ms: list[int], rate: float) -> None:
    """Whatever the ticks' times: a period between two sent ticks, and a period after the last one it is there."""
    relay = Relay(Clock())
    client = relay.client("EURUSD", rate=rate)
    seen = arrivals(relay, client, [ms / 1000 for ms in times_ms], 2.1 + 1 / rate)
    assert all(later - sooner >= 1 / rate - 0.002 for (sooner, _), (later, _) in pairwise(seen))
    assert not times_ms or seen[-1][1] == len(times_ms)
