"""Statuses for all clients: encoded once, sent in slices and in order, without delaying ticks."""

import json

import pytest

from twisted.internet.task import Clock

from tests.support.browser import CONNECTING, LIVE, LOST, Server
from tickrelay.model.ticks import Symbol


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side with a symbol list of 180 KB."""
    server = Server(clock, max_connections_per_address=1000)
    server.symbols = [Symbol(symbol_id=n, name=f"SYMBOL-WITH-A-LONG-NAME-{n:05d}") for n in range(1, 6001)]
    server.go_live()
    return server


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
    browsers = [server.browser() for _ in range(30)]
    browsers[0].ask({"type": "subscribe", "symbols": [name]})
    server.hub.status_changed(LOST)
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
    browsers = [server.browser() for _ in range(30)]
    server.hub.status_changed(LOST)
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
    browsers = [server.browser() for _ in range(30)]
    server.hub.status_changed(LOST)
    server.hub.status_changed(LIVE)
    for browser in browsers[10:20]:
        browser.vanish()
    server.clock.pump([0.01] * 10)
    assert [json.loads(payload)["status"] for _, payload in browsers[-1].frames()][-1] == "connected"
