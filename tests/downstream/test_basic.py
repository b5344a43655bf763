"""The basic protocol to the letter: what the first backend's frontends rely on."""

import pytest

from twisted.internet.task import Clock

from tests.support.browser import CONNECTING, LOST, Server
from tests.support.frames import frame
from tickrelay.model.status import FeedState, FeedStatus, Status


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, with cTrader connected."""
    server = Server(clock)
    server.go_live()
    return server


def test_connect_is_answered_with_one_status(server: Server) -> None:
    """Point 3 and 5: one status, with the full list of symbols that can be subscribed while connected."""
    browser = server.browser()
    assert browser.ask({"type": "connect"}) == {
        "type": "status",
        "status": "connected",
        "availableSymbols": ["EURUSD", "XAUUSD"],
    }


def test_a_tick_to_the_letter(server: Server) -> None:
    """Keys, order and numbers of a tick: plain decimals, no more digits than the symbol has."""
    browser = server.browser()
    browser.say({"type": "subscribe", "symbols": ["EURUSD", "XAUUSD"]})
    browser.hear()
    server.spot(1, 108_567, 108_570)
    server.spot(41, 265_012_300, 265_034_700)
    assert [payload.decode() for _, payload in browser.frames()] == [
        '{"type":"tick","symbol":"EURUSD","symbolId":1,"bid":1.08567,"ask":1.0857,"spread":0.00003,'
        '"timestamp":1767225600000}',
        '{"type":"tick","symbol":"XAUUSD","symbolId":41,"bid":2650.12,"ask":2650.35,"spread":0.23,'
        '"timestamp":1767225600000}',
    ]


def test_subscribe_answers_per_symbol(server: Server) -> None:
    """Point 1: what is wrong with one symbol stands in its result; the others are subscribed."""
    browser = server.browser()
    assert browser.ask({"type": "subscribe", "symbols": ["EURUSD", "FOO", "OLD"]}) == {
        "type": "subscribeResponse",
        "results": [
            {"symbol": "EURUSD", "status": "subscribed"},
            {"symbol": "FOO", "status": "error", "message": "Unknown symbol"},
            {"symbol": "OLD", "status": "error", "message": "Not enabled on this account"},
        ],
    }
    assert server.feed.wanted == ["EURUSD"]


def test_bad_frames_get_an_error_and_harm_nobody(server: Server) -> None:
    """Point 1: an error only for what cannot be parsed or has an unknown type; the connection stays open."""
    browser, other = server.browser(), server.browser()
    browser.protocol.dataReceived(frame(b"{nonsense"))
    browser.say({"type": "dance"}, {"type": "ping"})
    first, second, pong = browser.hear()
    assert first == {"type": "error", "message": "Invalid message format"}
    assert second["type"] == "error"
    assert pong["type"] == "pong"
    assert other.ask({"type": "ping"})["type"] == "pong"


def test_subscribing_again_is_subscribed_again(server: Server) -> None:
    """Point 2: frontends subscribe on every connected; it costs nothing upstream."""
    browser = server.browser()
    for _ in range(3):
        answer = browser.ask({"type": "subscribe", "symbols": ["EURUSD"]})
        assert answer["results"] == [{"symbol": "EURUSD", "status": "subscribed"}]
    assert server.feed.calls == [("want", "EURUSD")]


def test_status_changes_are_broadcast_once_each(server: Server) -> None:
    """Points 3 and 5: every change goes to every client, connected only on a real transition, lists empty otherwise."""
    browsers = [server.browser(), server.browser()]
    server.hub.status_changed(LOST)
    server.hub.status_changed(CONNECTING)
    server.hub.status_changed(FeedStatus(Status.CTRADER_CONNECTING, FeedState.APPLICATION_AUTH))
    server.go_live()
    server.hub.status_changed(FeedStatus(Status.CONNECTED, FeedState.DEGRADED))
    for browser in browsers:
        assert [(m["status"], m["availableSymbols"]) for m in browser.hear()] == [
            ("disconnected", []),
            ("ctrader-connecting", []),
            ("connected", ["EURUSD", "XAUUSD"]),
        ]


def test_an_error_status_says_what_to_mend(server: Server) -> None:
    """``message`` is present only in statuses that have one."""
    browser = server.browser()
    server.hub.status_changed(FeedStatus(Status.ERROR, FeedState.WAITING, "account 7 unknown: check it"))
    assert browser.hear() == [
        {"type": "status", "status": "error", "availableSymbols": [], "message": "account 7 unknown: check it"}
    ]


def test_nothing_new_is_pushed(server: Server) -> None:
    """Point 4: an outage brings statuses and ticks, and no message of a type that basic clients do not know."""
    browser = server.browser()
    browser.say({"type": "subscribe", "symbols": ["EURUSD"]})
    server.spot(1, 108_567, 108_570)
    server.hub.feed_lost("upstream-disconnect", None)
    server.hub.status_changed(LOST)
    server.go_live()
    server.spot(1, 108_567, 108_570)
    server.clock.advance(10)
    assert {m["type"] for m in browser.hear()} == {"subscribeResponse", "tick", "status"}


def test_subscribing_before_there_is_a_symbol_list(clock: Clock) -> None:
    """Point 7: without a list nothing can be looked up."""
    server = Server(clock)
    browser = server.browser()
    assert browser.ask({"type": "subscribe", "symbols": ["EURUSD"]})["results"] == [
        {"symbol": "EURUSD", "status": "error", "message": "Not connected to cTrader"}
    ]


def test_subscribing_through_an_outage(server: Server) -> None:
    """Point 7: once loaded the list stays valid; the subscription is taken and ticks come when cTrader is back."""
    browser = server.browser()
    server.hub.feed_lost("upstream-disconnect", None)
    server.hub.status_changed(LOST)
    browser.hear()
    assert browser.ask({"type": "subscribe", "symbols": ["EURUSD"]})["results"][0]["status"] == "subscribed"
    assert server.feed.wanted == ["EURUSD"]


def test_unsubscribing_what_was_not_subscribed(server: Server) -> None:
    """Point 8: unsubscribed all the same."""
    browser = server.browser()
    assert browser.ask({"type": "unsubscribe", "symbols": ["XAUUSD", "FOO"]}) == {
        "type": "unsubscribeResponse",
        "results": [{"symbol": "XAUUSD", "status": "unsubscribed"}, {"symbol": "FOO", "status": "unsubscribed"}],
    }


def test_get_subscriptions_and_ping(server: Server) -> None:
    """The two requests with which a frontend checks its subscriptions and its connection."""
    browser = server.browser()
    browser.ask({"type": "subscribe", "symbols": ["XAUUSD"]})
    assert browser.ask({"type": "getSubscriptions"}) == {
        "type": "subscriptions",
        "symbols": ["XAUUSD"],
        "timestamp": 1767225600000,
    }
    assert browser.ask({"type": "ping"}) == {"type": "pong", "timestamp": 1767225600000}


@pytest.mark.parametrize("end", ["vanish", "clean", "close frame"])
def test_however_it_ends_subscriptions_go_back_once(server: Server, end: str) -> None:
    """Point 9: closed, cut or killed, the interest is given back exactly once."""
    browser, other = server.browser(), server.browser()
    for one in (browser, other):
        one.ask({"type": "subscribe", "symbols": ["EURUSD"]})
    if end == "close frame":
        browser.protocol.dataReceived(frame(b"\x03\xe8", opcode=8))
    browser.vanish(clean=end == "clean")
    assert server.feed.wanted == ["EURUSD"]
    other.vanish()
    assert server.feed.calls == [("want", "EURUSD"), ("unwant", "EURUSD")]
    assert len(server.factory) == 0


def test_no_tick_follows_a_close_frame(server: Server) -> None:
    """After the answer to the client's close nothing more is sent."""
    browser = server.browser()
    browser.ask({"type": "subscribe", "symbols": ["EURUSD"]})
    browser.protocol.dataReceived(frame(b"\x03\xe8", opcode=8))
    server.spot(1, 108_567, 108_570)
    assert [opcode for opcode, _ in browser.frames()] == [8]


def test_too_many_symbols(clock: Clock) -> None:
    """The limit counts the symbols a client holds, not those it names again."""
    server = Server(clock, max_symbols=1)
    server.go_live()
    browser = server.browser()
    answer = browser.ask({"type": "subscribe", "symbols": ["EURUSD", "EURUSD", "XAUUSD"]})
    assert [r["status"] for r in answer["results"]] == ["subscribed", "subscribed", "error"]


def test_a_list_longer_than_any_symbol_list_is_no_request(server: Server) -> None:
    """At most 1,000 names of at most 100 characters, as in v1."""
    browser = server.browser()
    for names in (["X"] * 1_001, ["X" * 101]):
        assert browser.ask({"type": "subscribe", "symbols": names}) == {
            "type": "error",
            "message": "Invalid message format",
        }
