"""How connections end: the drain, expulsion, an error of the relay's own, and peers that do not complete the close."""

import json

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent

from tests.support.browser import CONNECTING, LOST, Browser, Server
from tests.support.frames import frame
from tickrelay.downstream.connection import LINGER_S
from tickrelay.downstream.session import ClientSession
from tickrelay.model.errors import CloseCode


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, with cTrader connected."""
    server = Server(clock)
    server.go_live()
    return server


def aborts(browser: Browser) -> list[bool]:
    """A list that gets an item whenever the connection is reset; from now on an orderly close does not complete."""
    aborted: list[bool] = []
    browser.transport.loseConnection = lambda: None  # type: ignore[method-assign]
    browser.transport.abortConnection = lambda: aborted.append(True)  # type: ignore[method-assign]
    return aborted


def test_a_fault_of_ours_closes_one_client_with_1011(
    server: Server, expected_failures: list[LogEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in one client's request is logged and closes that client, without a detail in the reason."""
    browser, other = server.browser(), server.browser()

    def broken(session: ClientSession, payload: bytes, binary: bool) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(ClientSession, "received", broken)
        browser.say({"type": "ping"})
    (close,) = browser.frames()
    assert close[1][:2] == (1011).to_bytes(2, "big")
    assert b"secret" not in close[1]
    assert other.ask({"type": "ping"})["type"] == "pong"
    assert len(expected_failures) == 1
    expected_failures.clear()


def test_the_drain_closes_everybody_with_1012(server: Server) -> None:
    """On stop: no new clients, and everyone gets a restart close."""
    browsers = [server.browser() for _ in range(3)]
    done = server.factory.drain()
    refused = Browser(server)
    refused.open()
    assert refused.head.startswith(b"HTTP/1.1 503 ")
    server.clock.pump([0.01] * 10)
    for browser in browsers:
        assert browser.close_codes() == [1012]
        assert not done.called
        browser.vanish()
    assert done.called


def test_a_drain_can_be_hurried(clock: Clock) -> None:
    """All are closed at once, none twice; before the drain it has no effect."""
    server = Server(clock, max_connections_per_address=300)
    browsers = [server.browser() for _ in range(200)]
    server.factory.hurry()
    assert not any(browser.close_codes() for browser in browsers)
    server.factory.drain()
    server.factory.hurry()
    server.factory.hurry()
    assert all(browser.close_codes() == [1012] for browser in browsers)
    clock.pump([0.1] * 30)
    assert not any(browser.close_codes() for browser in browsers)


def test_clients_are_told_that_the_feed_ends(server: Server) -> None:
    """The status is sent before the close frame; a feed that comes back meanwhile is not announced."""
    browser = server.browser()
    browser.frames()
    server.factory.drain()
    server.hub.status_changed(CONNECTING)
    server.go_live()
    server.clock.pump([0.01] * 10)
    (_, status), (opcode, _) = browser.frames()
    assert json.loads(status)["status"] == "disconnected"
    assert opcode == 8


def stuck_browser(server: Server, max_queued_bytes: int) -> Browser:
    """A client that does not read, and is expelled once *max_queued_bytes* wait for it."""
    browser = server.browser()
    assert browser.protocol.outbox is not None
    browser.protocol.outbox.max_queued_bytes = max_queued_bytes
    browser.protocol.pauseProducing()
    return browser


def test_a_client_that_never_reads_is_expelled_once(server: Server) -> None:
    """Its close frame waits behind all the rest and does not expel it again; other clients get every status."""
    stuck, healthy = stuck_browser(server, 10_000), server.browser()
    for _ in range(100):
        stuck.say({"type": "subscribe", "symbols": ["EURUSD", "nonsense" * 10]})
    assert server.hub.fanout.counters.expelled == 1
    stuck.protocol.resumeProducing()
    assert stuck.close_codes() == [4008]
    server.hub.status_changed(LOST)
    assert [m["status"] for m in healthy.hear()] == ["disconnected"]


def test_expulsion_in_the_middle_of_a_broadcast_harms_nobody(server: Server) -> None:
    """The frame that fills a stuck client's queue is a status for everybody: all others get it, and the next."""
    stuck_browser(server, 1_000)
    healthy = server.browser()
    for _ in range(20):
        server.hub.status_changed(LOST)
        server.hub.status_changed(CONNECTING)
    assert server.hub.fanout.counters.expelled == 1
    assert len(healthy.hear()) == 40


def test_a_client_that_closes_and_does_not_read_is_cut_off(server: Server) -> None:
    """Unread bytes keep the connection open for `LINGER_S` at most."""
    browser = server.browser()
    aborted = aborts(browser)
    browser.protocol.dataReceived(frame(b"\x03\xe8", opcode=8))
    assert aborted == []
    server.clock.advance(LINGER_S + 0.1)
    assert aborted == [True]


def test_a_refused_handshake_that_is_not_read_is_cut_off(server: Server) -> None:
    """Its answer waits for `LINGER_S` at most: over TLS the transport would wait for close_notify without end."""
    browser = Browser(server)
    aborted = aborts(browser)
    browser.protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")
    assert aborted == []
    server.clock.advance(LINGER_S + 0.1)
    assert aborted == [True]


def test_a_client_has_time_to_read_why_it_is_closed(server: Server) -> None:
    """A reset would make its kernel drop the close frame: there is none for `LINGER_S` after the frame."""
    browser = server.browser()
    aborted = aborts(browser)
    browser.protocol.close(CloseCode.BAD_TOKEN, "token refused")
    server.clock.advance(LINGER_S - 0.1)
    assert aborted == [] and browser.close_codes() == [4501]
    server.clock.advance(0.2)
    assert aborted == [True]
