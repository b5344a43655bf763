"""Messages to all clients: encoded once, sent in slices and in order, without delaying ticks."""

import json
from collections.abc import Callable, Iterator

import pytest

from twisted.internet.task import Clock

from tests.relay.test_slices import TurnClock
from tests.support.browser import CONNECTING, LIVE, LOST, Browser, Server
from tests.support.relay import TestClock
from tests.support.v1 import JSON, results
from tickrelay.downstream.broadcasts import SLICE_S, Broadcasts
from tickrelay.model.schedule import Schedule
from tickrelay.model.ticks import Symbol

SEND_S = 0.0005


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side with a symbol list of 180 KB."""
    server = Server(clock, max_connections_per_address=1000)
    server.symbols = [Symbol(symbol_id=n, name=f"SYMBOL-WITH-A-LONG-NAME-{n:05d}") for n in range(1, 6001)]
    server.go_live()
    return server


def slow_down(server: Server, browsers: list[Browser]) -> list[Browser]:
    """From now on each write to them takes `SEND_S`."""
    for browser in browsers:
        send = browser.protocol.outbox.send

        def slow(data: bytes, send: Callable[[bytes], int] = send) -> int:
            server.clock.rightNow += SEND_S
            return send(data)

        browser.protocol.outbox.send = slow
    return browsers


def test_a_large_status_is_encoded_once(server: Server) -> None:
    """However many clients ask or are told, the frame is one object."""
    browsers = [server.browser() for _ in range(3)]
    encoding = server.factory.context.encodings.basic
    assert server.factory.context.statuses.frame(encoding) is server.factory.context.statuses.frame(encoding)
    for browser in browsers:
        browser.say({"type": "connect"})
        ((_, payload),) = browser.frames()
        assert len(payload) > 150_000


def test_ticks_go_out_between_the_slices(server: Server) -> None:
    """While a broadcast of several turns is sent, a tick reaches clients before its end."""
    name = server.symbols[0].name
    browsers = slow_down(server, [server.browser() for _ in range(30)])
    browsers[0].ask({"type": "subscribe", "symbols": [name]})
    server.hub.status_changed(LOST)
    server.clock.pump([0.01] * 10)
    for browser in browsers:
        browser.hear()
    outbox = browsers[0].protocol.outbox
    assert outbox is not None
    send, told_at_tick = outbox.send, []

    def watched(data: bytes) -> int:
        if b'"tick"' in data:
            told_at_tick.append(sum(bool(browser.transport.value()) for browser in browsers))
        return send(data)

    outbox.send = watched
    server.hub.status_changed(LIVE)
    server.hub.spot(1, 108_000, 108_010, 0)
    server.clock.advance(0)
    assert 0 < told_at_tick[0] < 30
    assert [m["type"] for m in browsers[0].hear()] == ["status", "tick"]
    server.clock.pump([0.01] * 10)
    assert all(browser.transport.value() for browser in browsers[1:])


def test_statuses_keep_their_order_and_nobody_hears_an_old_one(server: Server) -> None:
    """Changes during a broadcast are queued behind it; a client answered meanwhile gets only newer ones."""
    browsers = slow_down(server, [server.browser() for _ in range(30)])
    server.hub.status_changed(LOST)
    server.clock.pump([0.01] * 10)
    for browser in browsers:
        browser.hear()
    server.hub.status_changed(LIVE)
    server.hub.status_changed(LOST)
    server.hub.status_changed(CONNECTING)
    late = browsers[-1]
    assert late.ask({"type": "connect"})["status"] == "ctrader-connecting"
    server.clock.pump([0.01] * 10)
    assert list(late.frames()) == []
    for browser in browsers[:-1]:
        heard = [json.loads(payload)["status"] for _, payload in browser.frames()]
        assert heard == ["connected", "disconnected", "ctrader-connecting"]


def test_who_left_meanwhile_is_passed_over(server: Server) -> None:
    """A client that disconnects during a broadcast does not interrupt it."""
    browsers = slow_down(server, [server.browser() for _ in range(30)])
    server.hub.status_changed(LOST)
    server.hub.status_changed(LIVE)
    assert not browsers[-1].transport.value()
    for browser in browsers[10:20]:
        browser.vanish()
    server.clock.pump([0.01] * 10)
    assert [json.loads(payload)["status"] for _, payload in browsers[-1].frames()][-1] == "connected"


OPEN_S = 100
HOURS = Schedule(intervals=((0, 4 * 86_400 + OPEN_S), (5 * 86_400, 7 * 86_400)))
"""The clock begins on a Thursday."""


def run_jobs(server: Server, seconds: int) -> None:
    """What is done in so many seconds."""
    for _ in range(seconds):
        server.factory.jobs.run()


EVENTS: dict[str, tuple[int, Callable[[Server], None]]] = {
    "heartbeat": (0, lambda server: run_jobs(server, 15)),
    "marketState": (OPEN_S, lambda server: run_jobs(server, 5)),
    "notice": (0, lambda server: server.hub.symbol_refused("EURUSD", "X", "")),
    "status": (0, lambda server: server.hub.status_changed(LOST)),
}
"""By the type of message that all clients are sent: when, and why."""


@pytest.fixture
def turning() -> Server:
    """A relay with one symbol, on a clock that makes the calls of one turn."""
    server = Server(TurnClock(), max_connections_per_address=1000, ping_interval_s=0.0)
    server.symbols = [Symbol(symbol_id=1, name="EURUSD", schedule=HOURS)]
    server.go_live()
    return server


def featured(server: Server, clients: int) -> list[Browser]:
    """Clients with all features and one subscription, to whom each write takes `SEND_S` afterwards."""
    browsers = [server.browser(JSON) for _ in range(clients)]
    for browser in browsers:
        browser.ask({"type": "connect", "protocol": 1, "features": ["heartbeat", "gap", "marketState", "notice"]})
        results(browser, symbols=["EURUSD"])
    return slow_down(server, browsers)


def finish(server: Server) -> list[float]:
    """Turns until nothing is due; how long each took."""
    lengths = []
    while any(call.getTime() <= server.clock.seconds() for call in server.clock.getDelayedCalls()):
        before_s = server.clock.seconds()
        server.clock.advance(0)
        lengths.append(server.clock.seconds() - before_s)
    return lengths


@pytest.mark.parametrize("kind", EVENTS)
def test_no_turn_is_longer_than_a_slice(turning: Server, kind: str) -> None:
    """Whatever is sent to all clients, each of them gets it once, and a tick does not wait for the last of them."""
    at_s, happens = EVENTS[kind]
    browsers = featured(turning, 60)
    turning.clock.rightNow = begun_s = max(at_s, turning.clock.seconds())
    happens(turning)
    assert turning.clock.seconds() - begun_s <= SLICE_S + SEND_S
    assert 0 < sum(bool(browser.transport.value()) for browser in browsers) <= SLICE_S / SEND_S + 1
    turning.hub.spot(1, 108_000, 108_010, 0)
    first, *_, last = browsers
    lengths = finish(turning)
    assert len(lengths) >= 60 * SEND_S / SLICE_S - 2
    assert [message["type"] for message in first.hear()] == [kind, "tick"]
    assert [message["type"] for message in last.hear()] == ["tick", kind]
    for browser in browsers[1:-1]:
        assert sorted(message["type"] for message in browser.hear()) == sorted([kind, "tick"])


def test_who_has_left_or_unsubscribed_is_sent_nothing_more(turning: Server) -> None:
    """A lost connection does not count as behind; a state or a refusal is for those who subscribe the symbol still."""
    browsers = featured(turning, 60)
    turning.hub.symbol_refused("EURUSD", "X", "")
    browsers[-1].vanish()
    browsers[-2].ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
    run_jobs(turning, 15)
    browsers[-3].vanish()
    finish(turning)
    assert browsers[-1].hear() == browsers[-3].hear() == []
    assert [message["type"] for message in browsers[-2].hear()] == ["heartbeat"]
    assert [message["type"] for message in browsers[-4].hear()] == ["notice", "heartbeat"]
    assert not turning.hub.fanout.behind


def test_all_are_told_before_the_first_is_closed(turning: Server) -> None:
    """At the end of the service: the notice, the status, and then the close frame."""
    browsers = featured(turning, 60)
    turning.factory.drain()
    while turning.clock.getDelayedCalls() and not all(browser.protocol.outbox.over for browser in browsers):
        turning.clock.advance(0.01)
    for browser in browsers:
        notice, status, code = browser.outcome()
        assert (notice["code"], status["status"], code) == ("SERVER_DRAINING", "disconnected", 1012)


def test_an_error_ends_one_broadcast_alone(clock: Clock) -> None:
    """What was begun after it is sent in the next turn."""
    broadcasts, done = Broadcasts(TestClock(clock)), []

    def sends(name: str, broken: bool) -> Iterator[None]:
        for number in range(3):
            if broken and number:
                raise OverflowError(name)
            clock.rightNow += SLICE_S  # type: ignore[attr-defined]
            done.append(name)
            yield

    broadcasts.begin(sends("one", True))
    broadcasts.begin(sends("two", False))
    assert done == ["one"]
    with pytest.raises(OverflowError):
        clock.advance(0)
    clock.advance(0)
    assert done == ["one", "two", "two", "two"]
