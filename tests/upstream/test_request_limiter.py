"""The request budget: never exceeded in any second; urgent requests first; heartbeats never wait."""

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tests.support.rig import Rig
from tickrelay.openapi import registry
from tickrelay.simulator.settings import Rules
from tickrelay.upstream.request_limiter import MAX_PAUSE_S, RequestLimiter

OTHER = registry.lookup("ProtoOASymbolByIdReq").number
SUBSCRIBE = registry.lookup("ProtoOASubscribeSpotsReq").number
UNSUBSCRIBE = registry.lookup("ProtoOAUnsubscribeSpotsReq").number
TRENDBARS = registry.lookup("ProtoOAGetTrendbarsReq").number


def most_in_a_second(times: list[float]) -> int:
    """The most of *times* in any window of one second."""
    return max((sum(t <= u < t + 1 for u in times) for t in times), default=0)


def pacer_on(clock: Clock) -> RequestLimiter:
    """A limiter with the usual budget."""
    return RequestLimiter(TestClock(clock))


def run(clock: Clock, seconds: float) -> None:
    """Let time pass."""
    clock.pump([0.005] * round(seconds / 0.005))


def test_a_burst_is_spread(clock: Clock) -> None:
    """200 requests at once: some leave now, all within five seconds, never more than 45 in any second."""
    sent: list[float] = []
    limiter = pacer_on(clock)
    for _ in range(200):
        limiter.submit(OTHER, lambda: sent.append(clock.seconds()))
    assert len(sent) == 4
    run(clock, 5.2)
    assert len(sent) == 200
    assert 38 <= most_in_a_second(sent) <= 45


def test_historical_requests_have_their_own_budget(clock: Clock) -> None:
    """At most 4 in any second, and others are not held up by them."""
    sent: list[float] = []
    others: list[float] = []
    limiter = pacer_on(clock)
    for _ in range(12):
        limiter.submit(TRENDBARS, lambda: sent.append(clock.seconds()))
    limiter.submit(OTHER, lambda: others.append(clock.seconds()))
    assert others == [0.0]
    run(clock, 5)
    assert len(sent) == 12 and most_in_a_second(sent) <= 4


def test_unsubscribe_before_subscribe_before_others(clock: Clock) -> None:
    """While requests wait, unsubscribing goes first, since it makes room."""
    order: list[int] = []
    limiter = pacer_on(clock)
    for kind in [OTHER] * 6 + [SUBSCRIBE] * 2 + [UNSUBSCRIBE] * 2:
        limiter.submit(kind, partial(order.append, kind))
    run(clock, 1)
    assert order == [OTHER] * 4 + [UNSUBSCRIBE] * 2 + [SUBSCRIBE] * 2 + [OTHER] * 2


def test_order_within_a_kind_is_kept(clock: Clock) -> None:
    """First come, first served."""
    order: list[int] = []
    limiter = pacer_on(clock)
    for number in range(30):
        limiter.submit(OTHER, partial(order.append, number))
    run(clock, 2)
    assert order == list(range(30))


def test_a_pause_holds_one_payload_type(clock: Clock) -> None:
    """Others are sent; a paused request is sent when the pause ends, not before."""
    sent: list[tuple[int, float]] = []
    limiter = pacer_on(clock)
    limiter.pause(SUBSCRIBE, 3)
    limiter.submit(SUBSCRIBE, lambda: sent.append((SUBSCRIBE, clock.seconds())))
    limiter.submit(OTHER, lambda: sent.append((OTHER, clock.seconds())))
    run(clock, 4)
    assert sent[0] == (OTHER, 0.0)
    assert sent[1][0] == SUBSCRIBE and 3 <= sent[1][1] < 3.1


def test_a_pause_of_everything_and_its_cap(clock: Clock) -> None:
    """Type 0 holds all requests; the longest pause is two minutes."""
    sent: list[float] = []
    limiter = pacer_on(clock)
    limiter.pause(0, 100_000)
    limiter.submit(OTHER, lambda: sent.append(clock.seconds()))
    clock.pump([1.0] * 119)
    assert not sent
    clock.pump([1.0] * 2)
    assert sent and sent[0] <= MAX_PAUSE_S + 1


def test_heartbeats_are_counted_and_never_wait(clock: Clock) -> None:
    """With heartbeats, too, no second has more than 45 messages."""
    sent: list[float] = []
    limiter = pacer_on(clock)
    for _ in range(300):
        limiter.submit(OTHER, lambda: sent.append(clock.seconds()))
    for _ in range(6):
        limiter.spend()
        sent.append(clock.seconds())
        run(clock, 1)
    assert most_in_a_second(sent) <= 45


def test_a_cancelled_request_does_not_leave(clock: Clock) -> None:
    """Nor does it take from the budget."""
    sent: list[int] = []
    limiter = pacer_on(clock)
    tickets = [limiter.submit(OTHER, partial(sent.append, n)) for n in range(20)]
    for ticket in tickets[4:19]:
        ticket.cancel()
    assert limiter.waiting == 1
    run(clock, 0.1)
    assert sent == [0, 1, 2, 3, 19]


def test_stopping_forgets(clock: Clock) -> None:
    """Afterwards nothing is sent and no timer is left."""
    sent: list[int] = []
    limiter = pacer_on(clock)
    for number in range(20):
        limiter.submit(OTHER, partial(sent.append, number))
    limiter.stop()
    limiter.submit(OTHER, lambda: sent.append(99))
    limiter.pause(0, 1)
    run(clock, 2)
    assert len(sent) == 4 and not clock.getDelayedCalls()


def test_submitting_from_within_a_send(clock: Clock) -> None:
    """A send may submit another request at once."""
    sent: list[int] = []
    limiter = pacer_on(clock)

    def again() -> None:
        sent.append(1)
        if len(sent) < 10:
            limiter.submit(OTHER, again)

    limiter.submit(OTHER, again)
    run(clock, 1)
    assert len(sent) == 10


@given(
    st.lists(
        st.tuples(st.floats(0, 0.5), st.sampled_from([OTHER, SUBSCRIBE, UNSUBSCRIBE, TRENDBARS]), st.integers(1, 60)),
        max_size=15,
    ),
    st.integers(5, 50),
    st.integers(2, 5),
)
def test_never_more_than_the_budget_in_any_second(
    bursts: list[tuple[float, int, int]], per_second: int, historical: int
) -> None:
    """Whatever is asked and when: the budget holds in every window of one second, and everything leaves."""
    clock = Clock()
    limiter = RequestLimiter(TestClock(clock), per_second, historical)
    sent: list[tuple[float, int]] = []
    asked = 0
    for pause, kind, count in bursts:
        clock.advance(pause)
        asked += count
        for _ in range(count):
            limiter.submit(kind, lambda kind=kind: sent.append((clock.seconds(), kind)))
    while clock.getDelayedCalls():
        clock.advance(max(0.0, min(c.getTime() for c in clock.getDelayedCalls()) - clock.seconds()))
    assert len(sent) == asked
    times = [when for when, _ in sent]
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in zip(times, times[per_second:], strict=False))
    slow = [when for when, kind in sent if kind == TRENDBARS]
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in zip(slow, slow[historical:], strict=False))


@pytest.mark.parametrize("code", ["BLOCKED_PAYLOAD_TYPE", "REQUEST_FREQUENCY_EXCEEDED"])
def test_a_server_with_a_smaller_budget_is_obeyed(make_rig: Callable[..., Rig], code: str) -> None:
    """The pauses it asks for are kept, doubled in a row, and the session becomes live all the same."""
    rig = make_rig(rules={"requests_per_s": 2, "retry_after_s": 2, "rate_code": code})
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.until(lambda: rig.state == "live", 300)
    assert rig.counters.rate_limited > 0
    assert rig.upstream_set() == {"EURUSD"}


def test_a_pause_is_a_minimum(rig: Rig) -> None:
    """retryAfter 7: the same request is sent again after 7 s, not before; heartbeats go on."""
    rig.go_live()
    rig.refuse("ProtoOASubscribeSpotsReq", "BLOCKED_PAYLOAD_TYPE", retry_after_s=7)
    rig.service.want("EURUSD")
    rig.run(5)
    rig.refuse("ProtoOASubscribeSpotsReq", "")
    rig.run(10)
    first, second = rig.sent("ProtoOASubscribeSpotsReq")
    assert 7 <= second - first < 7.2
    assert rig.upstream_set() == {"EURUSD"}


def test_a_long_pause_on_the_way_to_live_is_sat_out(rig: Rig) -> None:
    """The logon's deadline is extended by the pause, since a new connection would have to wait as long."""
    rig.refuse("ProtoOASubscribeSpotsReq", "BLOCKED_PAYLOAD_TYPE", retry_after_s=100)
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.run(5)
    rig.refuse("ProtoOASubscribeSpotsReq", "")
    rig.until(lambda: rig.state == "live", 150, 0.05)
    first, second = rig.sent("ProtoOASubscribeSpotsReq")
    assert 100 <= second - first < 101 and len(rig.net.attempts) == 1


def test_pauses_double_in_a_row(rig: Rig) -> None:
    """Without retryAfter: 1, 2, 4, 8 … s."""
    rig.go_live()
    rig.refuse("ProtoOASubscribeSpotsReq", "REQUEST_FREQUENCY_EXCEEDED")
    rig.service.want("EURUSD")
    rig.run(40)
    waits = [b - a for a, b in pairwise(rig.sent("ProtoOASubscribeSpotsReq"))]
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16]


def test_a_storm_of_wants_stays_within_the_budget(make_rig: Callable[..., Rig]) -> None:
    """Wants at random moments over several connections: the simulator never refuses one for its rate."""
    rig = make_rig(unsubscribe_linger_s=0.0)
    rig.go_live()
    rng = random.Random(5)
    names = [symbol.name for symbol in rig.listener.symbols]
    for _ in range(1500):
        (rig.service.want if rng.random() < 0.6 else rig.service.unwant)(rng.choice(names))
        rig.clock.advance(rng.choice((0, 0.001, 0.01)))
        if rng.random() < 0.003 and rig.net.open:
            rig.connection.reset()
    rig.until(lambda: rig.state == "live", 100)
    rig.run(2)
    assert rig.counters.rate_limited == 0
    assert rig.most_requests_in_a_second() <= 45 < Rules().requests_per_s
    assert rig.upstream_set() == rig.session.subscriptions.wanted - rig.listener.refused.keys()
