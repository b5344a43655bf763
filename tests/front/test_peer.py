"""Whom a connection is counted to and who pays for it: limits, turns, proxies."""

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent

from tests.support.browser import KEY, Browser, Server, Transport
from tickrelay.admission.ledger import ADDRESS_BURST_S

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 13"]


def use_up(server: Server, address: str = "10.0.0.1") -> None:
    """Let *address* be over in the ledger."""
    payer = server.factory.context.ledger.payer(address)
    payer.charge(ADDRESS_BURST_S + 0.001, server.clock.seconds())
    payer.leave()


# Limits and turns.


def test_http_connections_count(clock: Clock) -> None:
    """To their address, for as long as they are there; a WebSocket client takes the place of one that left."""
    server = Server(clock, max_connections_per_address=1)
    browsers = [Browser(server) for _ in range(30)]
    opened = [browser for browser in browsers if browser.transport.connected]
    assert len(opened) == 21
    for browser in opened:
        browser.protocol.dataReceived(GET)
    assert not Browser(server).transport.connected
    opened[0].vanish()
    assert b" 101 " in server.browser().head


def test_who_is_over_waits_and_is_not_read_meanwhile(server: Server, clock: Clock) -> None:
    """Handshakes and pages alike; others do not wait; the deadline does not hit who waits, and nobody is refused."""
    use_up(server)
    socket, page, other = Browser(server), Browser(server), Browser(server, "10.0.0.2")
    for browser in (socket, other):
        browser.request()
    page.protocol.dataReceived(GET + GET)
    assert b" 101 " in other.transport.value()
    for browser in (socket, page):
        assert browser.transport.value() == b""
        assert browser.transport.producerState == "paused"
    clock.advance(0)
    assert b" 101 " in socket.transport.value()
    clock.pump([0] * 3)
    assert page.transport.value().count(b" 200 OK") == 2
    assert {browser.transport.producerState for browser in (socket, page)} == {"producing"}
    assert server.factory.context.ledger.deferred >= 2


def test_who_leaves_while_waiting_is_forgotten(server: Server, clock: Clock) -> None:
    """Its request is not handled, and its account has no connection."""
    use_up(server)
    browser = Browser(server)
    browser.request()
    browser.vanish()
    clock.advance(0)
    assert browser.transport.value() == b""
    assert len(server.factory.admission._rooms) == 0
    clock.advance(100)
    server.factory.context.ledger.forget_settled()
    assert len(server.factory.context.ledger) == 0


def test_slot_and_payer_are_given_up_once(server: Server, clock: Clock) -> None:
    """By whom they were handed to, and by the front of whoever never got that far."""
    browsers = [Browser(server) for _ in range(5)]
    browsers[0].open()
    browsers[1].protocol.dataReceived(GET)
    browsers[2].protocol.dataReceived(b"\r\n\r\n")
    browsers[3].protocol.dataReceived(b"GET")
    for browser in browsers:
        if browser.transport.connected:
            browser.vanish()
    assert server.factory.admission._rooms == {}
    assert server.factory.admission._all.total == 0
    server.factory.context.ledger.forget_settled()
    assert len(server.factory.context.ledger) == 0


# Proxies.


def behind(server: Server, forwarded: bytes, peer: str = "10.9.9.9") -> Browser:
    """A WebSocket client that came by a proxy."""
    browser = Browser(server, peer)
    browser.open(*([b"X-Forwarded-For: " + forwarded] if forwarded else []))
    return browser


def test_clients_behind_a_trusted_proxy_have_limits_of_their_own(clock: Clock) -> None:
    """And the proxy has none but that of all."""
    server = Server(clock, trusted_proxies=("10.9.9.9/32",), max_connections_per_address=1, max_connections=500)
    lurkers = [Browser(server, "10.9.9.9") for _ in range(50)]
    browsers = [behind(server, b"6.6.6.6, 203.0.113.%d" % n) for n in range(50)]
    assert all(browser.transport.connected for browser in (*lurkers, *browsers))
    assert len(server.factory) == 50
    assert browsers[3].protocol.address == "203.0.113.3"
    again = behind(server, b"203.0.113.3")
    assert [opcode for opcode, _ in again.frames()] == [8]
    again.vanish()
    direct = [behind(server, b"") for _ in range(5)]  # the proxy's own health checks, say
    assert not any(list(browser.frames()) for browser in direct)
    assert len(server.factory) == 55


def test_too_many_opening_connections_of_one_client_behind_a_proxy(clock: Clock) -> None:
    """An answer, which the proxy passes on; a reset would make it think that the relay is ill."""
    server = Server(clock, trusted_proxies=("10.9.9.9/32",), max_connections_per_address=1)
    for _ in range(21):
        Browser(server, "10.9.9.9").protocol.dataReceived(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.3\r\n\r\n"
        )
    beyond = behind(server, b"203.0.113.3")
    assert beyond.head.startswith(b"HTTP/1.1 429 ")
    assert server.factory.refusals.counts["address_limit"] == 1
    assert b" 101 " in behind(server, b"203.0.113.4").head
    assert b"203.0.113.3" in b"".join(room.encode() for room in server.factory.admission._rooms)


def test_the_client_pays_and_not_its_proxy(clock: Clock) -> None:
    """One that is over waits; another by the same proxy does not."""
    server = Server(clock, trusted_proxies=("10.9.9.9/32",))
    use_up(server, "203.0.113.3")
    assert behind(server, b"203.0.113.3").head == b""
    assert b" 101 " in behind(server, b"203.0.113.4").head


def test_a_proxy_that_is_not_trusted_is_ignored_and_warned_of_once(clock: Clock, logged: list[LogEvent]) -> None:
    """Its clients count as one; strangers who send the header are no reason for a line."""
    server = Server(clock, max_connections_per_address=1)
    assert behind(server, b"203.0.113.5", peer="8.8.8.8").protocol.address == "8.8.8.8"
    warnings = [formatEvent(event) for event in logged if event["log_level"] is LogLevel.warn]
    assert warnings == []
    browsers = [behind(server, b"203.0.113.%d" % n) for n in range(3)]
    warnings = [formatEvent(event) for event in logged if "X-Forwarded-For" in (formatEvent(event) or "")]
    assert len(warnings) == 1
    assert "10.9.9.9" in warnings[0] and "TICKRELAY_TRUSTED_PROXIES" in warnings[0]
    assert [[opcode for opcode, _ in browser.frames()] for browser in browsers] == [[], [8], [8]]


def test_the_peers_of_a_unix_socket_can_be_trusted(clock: Clock) -> None:
    """They have no address."""
    server = Server(clock, trusted_proxies=("unix",), max_connections_per_address=1)
    browsers = []
    for n in range(3):
        browsers.append(Browser(server, transport=Transport(peerAddress=UNIXAddress(None))))
        browsers[-1].open(b"X-Forwarded-For: 203.0.113.%d" % n)
    assert [browser.protocol.address for browser in browsers] == [f"203.0.113.{n}" for n in range(3)]
    assert len(server.factory) == 3


def test_the_proxy_protocol_tells_the_address_with_the_head(server: Server) -> None:
    """At the accept the transport of ``haproxy:`` still has the proxy's."""
    browser = Browser(server, "10.9.9.9")
    assert list(server.factory.admission._rooms) == ["10.9.9.9"]
    browser.transport.peerAddr = IPv4Address("TCP", "203.0.113.5", 1)
    browser.open()
    assert browser.protocol.address == "203.0.113.5"
    assert list(server.factory.admission._rooms) == ["203.0.113.5"]


def test_a_page_sees_the_clients_address(clock: Clock) -> None:
    """That of the client, not of the proxy."""
    server = Server(clock, trusted_proxies=("10.9.9.9/32",), allowed_origins=("https://app.example.com",))
    seen: list[Any] = []
    server.factory.refusals.note = lambda refusal, address, detail: seen.append(address)  # type: ignore[method-assign]
    browser = Browser(server, "10.9.9.9")
    browser.protocol.dataReceived(
        b"GET / HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n"
    )
    assert b" 403 " in browser.transport.value()
    assert seen == ["203.0.113.5"]
