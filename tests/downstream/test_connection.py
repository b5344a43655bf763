"""The connection: a strict opening, limits, pings, pace."""

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.frames import frame


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, with cTrader connected."""
    server = Server(clock)
    server.go_live()
    return server


def test_the_opening_handshake(server: Server) -> None:
    """101, the accept key of RFC 6455, no product name."""
    head = server.browser().head
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"Server:" not in head


def test_compression_is_declined(server: Server) -> None:
    """Every browser offers it; a connection costs 99 KiB with it and 5 without."""
    browser = Browser(server)
    browser.open(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    assert b" 101 " in browser.head
    assert b"permessage-deflate" not in browser.head
    assert browser.ask({"type": "ping"})["type"] == "pong"


def test_there_is_no_status_page(server: Server) -> None:
    """A plain HTTP request is refused; it neither redirects nor echoes."""
    browser = Browser(server)
    browser.protocol.dataReceived(b"GET /?redirect=javascript:alert(1) HTTP/1.1\r\nHost: x\r\n\r\n")
    assert browser.transport.value().startswith(b"HTTP/1.1 426 ")
    assert b"javascript" not in browser.transport.value()


def test_a_head_without_end_is_cut(server: Server) -> None:
    """More than 16 KiB of header fields is refused."""
    browser = Browser(server)
    for _ in range(20):
        browser.protocol.dataReceived(b"X-Filler: " + b"a" * 1000 + b"\r\n")
    assert browser.transport.value().startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("byte", [b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\x00", b"\r", b"\n"])
def test_bytes_that_smuggle_headers_are_refused(server: Server, byte: bytes) -> None:
    """What some parsers take for the end of a line and others do not has no place in a head."""
    browser = Browser(server)
    browser.open(b"X-One: a" + byte + b"Origin: https://evil.example")
    assert browser.head.startswith(b"HTTP/1.1 400 ")


def test_a_slow_opening_is_cut(server: Server) -> None:
    """The whole opening handshake has one deadline."""
    browser = Browser(server)
    for _ in range(60):
        browser.protocol.dataReceived(b"X")
        server.clock.advance(0.1)
    assert not browser.transport.connected


def test_origins(clock: Clock) -> None:
    """With a list, only pages of listed origins may connect; programs send no origin and may."""
    server = Server(clock, allowed_origins=("https://app.example.com",))
    assert b" 101 " in server.browser().head
    browser = Browser(server)
    browser.open(b"Origin: https://app.example.com")
    assert b" 101 " in browser.head
    for origin in (b"https://evilapp.example.com", b"null", b"http://app.example.com"):
        browser = Browser(server)
        browser.open(b"Origin: " + origin)
        assert browser.close_codes() == [4503]


def test_a_message_over_the_limit_closes_with_1009(server: Server) -> None:
    """64 KiB are enough for any request."""
    browser = server.browser()
    browser.protocol.dataReceived(frame(b'"' + b"a" * 70_000 + b'"'))
    assert browser.close_codes() == [1009]


def test_invalid_utf8_closes_with_1007(server: Server) -> None:
    """As RFC 6455 wants."""
    browser = server.browser()
    browser.protocol.dataReceived(frame(b"\xff\xfe"))
    assert browser.close_codes() == [1007]


def test_no_pong_closes_with_4012(server: Server) -> None:
    """A client that answers no ping within the timeout is closed with a code of its own."""
    browser = server.browser()
    server.clock.pump([0.5] * 90)
    codes = browser.close_codes()
    assert codes == [4012]
    assert not browser.transport.connected


def test_a_pong_keeps_the_connection(server: Server) -> None:
    """Pings are answered: nothing is closed."""
    browser = server.browser()
    for _ in range(300):
        server.clock.advance(0.5)
        for opcode, payload in browser.frames():
            assert opcode == 9
            browser.protocol.dataReceived(frame(payload, opcode=10))
    assert browser.transport.connected


def test_a_flood_is_read_more_slowly_and_nothing_is_refused(clock: Clock) -> None:
    """Past its burst a client's socket is paused; every request is answered in order in the end."""
    server = Server(clock, messages_burst=10, messages_per_s=5.0)
    browser = server.browser()
    browser.say(*[{"type": "subscribe", "symbols": [f"S{n}"]} for n in range(30)])
    answers = browser.hear()
    assert len(answers) == 10
    assert browser.transport.producerState == "paused"
    for _ in range(100):
        clock.advance(0.1)
    answers += browser.hear()
    assert [a["results"][0]["symbol"] for a in answers] == [f"S{n}" for n in range(30)]
    assert browser.transport.producerState == "producing"


def test_a_flood_that_takes_long_to_read_is_no_missing_pong(clock: Clock) -> None:
    """While its socket is paused a client's pongs are not read, and the timeout does not run."""
    server = Server(clock, messages_burst=1, messages_per_s=1.0)
    browser = server.browser()
    browser.say(*[{"type": "ping"}] * 120)
    clock.pump([0.5] * 230)
    assert browser.transport.connected
    assert sum(opcode == 1 for opcode, _ in browser.frames()) > 100
    clock.pump([0.5] * 100)
    assert 4012 in browser.close_codes()  # once it is read again, its silence counts


def test_several_frames_in_one_read_and_one_frame_in_several(server: Server) -> None:
    """TCP knows no messages: any cut gives the same answers."""
    browser = server.browser()
    data = frame(b'{"type":"ping"}') * 3
    for n in range(len(data)):
        browser.protocol.dataReceived(data[n : n + 1])
    assert [m["type"] for m in browser.hear()] == ["pong"] * 3


def test_a_flood_of_frames_is_read_more_slowly_too(clock: Clock) -> None:
    """Pings are no messages, and yet cost: past their burst the socket is paused; all are answered in the end."""
    server = Server(clock, messages_burst=10, messages_per_s=10.0)
    browser = server.browser()
    browser.protocol.dataReceived(frame(b"", opcode=9) * 500)
    pongs = sum(opcode == 10 for opcode, _ in browser.frames())
    assert 0 < pongs <= 100
    assert browser.transport.producerState == "paused"
    clock.pump([0.1] * 150)
    assert pongs + sum(opcode == 10 for opcode, _ in browser.frames()) == 500
    assert browser.transport.producerState == "producing"


def test_a_message_of_endless_empty_fragments_is_cut(clock: Clock) -> None:
    """They do not add to the limit of bytes."""
    server = Server(clock, messages_burst=1_000)
    browser = server.browser()
    browser.protocol.dataReceived(frame(b"{", fin=False) + frame(b"", opcode=0, fin=False) * 2_000)
    assert browser.close_codes() == [1009]


def test_half_open_handshakes_count_to_their_address(clock: Clock) -> None:
    """One address cannot take every place with handshakes that it never ends."""
    server = Server(clock, max_connections_per_address=2, max_connections=60)
    lurkers = [Browser(server, "10.0.0.9") for _ in range(50)]
    assert sum(browser.transport.connected for browser in lurkers) == 22
    assert b" 101 " in server.browser().head
    clock.pump([0.5] * 12)
    assert not any(browser.transport.connected for browser in lurkers)
    late = Browser(server, "10.0.0.9")
    late.open()
    assert late.close_codes() == []
