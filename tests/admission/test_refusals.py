"""Refusals: a page gets the reason, the operator's log has address and reason, and a flood of them is bounded."""

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent

from tests.support.browser import Browser, Server
from tests.support.frames import frame
from tickrelay.admission.refusals import LINES, Refusal, Refusals
from tickrelay.downstream.tokens import Tokens, digest_of

EVIL = b"Origin: https://evil.example"
OFFER = b"Sec-WebSocket-Protocol: "


@pytest.fixture
def server(clock: Clock) -> Server:
    """A relay that pages of one origin may use."""
    return Server(clock, allowed_origins=("https://app.example.com",), max_connections_per_address=1)


def lines(logged: list[LogEvent], level: LogLevel) -> list[str]:
    """What was logged of refusals at *level*."""
    texts = [(event["log_level"], formatEvent(event)) for event in logged]
    return [text for logged_at, text in texts if logged_at is level and text.startswith("closed ")]


def subprotocol(browser: Browser) -> bytes:
    """The subprotocol in the head of the answer."""
    found = [line for line in browser.head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Protocol: ")]
    return found[0].partition(b": ")[2] if found else b""


@pytest.mark.parametrize("offer", [b"", b"tickrelay.v1.json", b"mistyped"])
def test_a_refused_origin_is_closed_with_4503(server: Server, offer: bytes) -> None:
    """After the handshake, with the subprotocol that the page offered: no browser shows its page anything else."""
    browser = Browser(server)
    browser.open(EVIL, *([OFFER + offer] if offer else []))
    assert b" 101 " in browser.head
    assert subprotocol(browser) == offer
    assert browser.closes() == [(4503, "origin not allowed")]
    assert len(server.factory) == 0


def test_a_plain_request_of_a_refused_origin_is_403(server: Server) -> None:
    """From other origins it is 426, with how to upgrade."""
    for origin, status in ((b"https://evil.example", b"403"), (b"https://app.example.com", b"426")):
        browser = Browser(server)
        browser.protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\nOrigin: " + origin + b"\r\n\r\n")
        assert browser.transport.value().startswith(b"HTTP/1.1 " + status)
        assert not browser.transport.connected
    assert server.factory.refusals.counts["origin"] == 1


def test_what_a_refused_client_sends_is_not_read(server: Server) -> None:
    """Not even in the same TCP segment as its opening request."""
    server.go_live()
    browser = Browser(server)
    asked = frame(b'{"type":"subscribe","symbols":["EURUSD"]}')
    browser.request(EVIL, tail=asked)
    browser.protocol.dataReceived(asked)
    assert server.feed.wanted == []
    assert browser.protocol.session is None


@pytest.mark.parametrize(
    ("offer", "named"),
    [
        (b"tickrelay.v1.jsn", b"tickrelay.v1.jsn"),
        (b"tickrelay.auth.c2VjcmV0, chat, superchat", b"chat"),
        (b"tickrelay.atuh.c2VjcmV0LXNlY3JldC1zZWNyZXQ", b""),
    ],
)
def test_an_unknown_subprotocol_is_closed_with_4502(
    server: Server, offer: bytes, named: bytes, logged: list[LogEvent]
) -> None:
    """The reason names those that there are. What may be a token is neither echoed nor logged."""
    browser = server.browser(OFFER + offer)
    assert subprotocol(browser) == named
    assert browser.closes() == [(4502, "subprotocol: expected tickrelay.v1.json or tickrelay.v1.protobuf")]
    assert lines(logged, LogLevel.info) == ["closed 10.0.0.1: unknown subprotocol"]


def test_each_refusal_is_logged_with_address_and_reason_and_counted(server: Server, logged: list[LogEvent]) -> None:
    """What the operator may have set wrong is a warning, and names the setting."""
    Browser(server, "10.0.0.7").open(EVIL)
    first = server.browser()
    server.browser()
    server.factory.tokens = Tokens([digest_of("t")])
    server.browser(b"Authorization: Bearer secret")
    assert first.protocol.session is not None
    server.hub.fanout.expel(first.protocol.session.subscriber)
    assert lines(logged, LogLevel.warn) == [
        "closed 10.0.0.7: origin https://evil.example (TICKRELAY_ALLOWED_ORIGINS)",
        "closed 10.0.0.1: no place is free (TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS)",
    ]
    assert lines(logged, LogLevel.info) == ["closed 10.0.0.1: token refused", "closed 10.0.0.1: slow consumer"]
    assert server.factory.refusals.counts == {
        "origin": 1, "token": 1, "protocol": 0, "address_limit": 1, "connection_limit": 0, "slow_client": 1
    }  # fmt: skip


def test_an_origin_is_logged_in_bounds(server: Server, logged: list[LogEvent]) -> None:
    """The text is the client's, so it is cut."""
    Browser(server).open(b"Origin: https://" + b"e" * 5_000)
    assert len(lines(logged, LogLevel.warn)[0]) < 200


def test_refused_connections_that_linger_are_bounded(server: Server, clock: Clock) -> None:
    """Twenty of an address may be in the middle of their refusal; those beyond are cut off; a second later all."""
    browsers = [Browser(server) for _ in range(20)]
    for browser in browsers:
        browser.open(EVIL)
    assert [len(browser.closes()) for browser in browsers] == [1] * 20
    beyond = Browser(server)
    beyond.open(EVIL)
    assert beyond.closes() == []
    assert not beyond.transport.connected
    assert server.browser().closes() == []  # they take no place
    clock.advance(3)
    assert not any(browser.transport.connected for browser in browsers)
    assert server.factory.refusals.counts["origin"] == 21


def test_the_log_of_a_flood_is_bounded(clock: Clock, logged: list[LogEvent]) -> None:
    """So many lines a minute of a reason; the next minute says how many there were besides."""
    refusals = Refusals(clock.seconds)
    for n in range(1_000):
        refusals.note(Refusal.TOKEN, f"10.0.0.{n}", "token refused")
    refusals.note(Refusal.ORIGIN, "10.0.0.1", "origin x")
    assert len(lines(logged, LogLevel.info)) == LINES
    assert len(lines(logged, LogLevel.warn)) == 1
    clock.advance(61)
    refusals.note(Refusal.ORIGIN, "10.0.0.1", "origin x")
    assert "990 more closed for token" in [formatEvent(event) for event in logged]
    assert len(lines(logged, LogLevel.warn)) == 2
    assert refusals.counts["token"] == 1_000
