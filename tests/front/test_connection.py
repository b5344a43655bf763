"""The clients' port: what is handed to whom, and its deadlines."""

import re
import weakref

import pytest

from twisted.internet.task import Clock

from tests.support.browser import KEY, Browser, Server
from tests.support.frames import frame
from tickrelay.downstream.connection import ClientProtocol
from tickrelay.front.connection import CLOSE_S, LINGER_S, MAX_LINGER_BYTES

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 13"]


def answer(server: Server, *lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    """What a request with these lines is answered with, on a connection of its own."""
    browser = Browser(server)
    browser.protocol.dataReceived(b"\r\n".join([first, b"Host: x", *lines, b"", b""]))
    value = browser.transport.value()
    assert browser.transport.connected == (b" 200 " in value)
    return bytes(value)


# Who gets what.


def test_nothing_of_the_front_is_left_behind_a_handshake(server: Server) -> None:
    """Neither on the way of a read nor in memory: the transport calls the WebSocket protocol itself."""
    browser = Browser(server)
    front = weakref.ref(browser.protocol)
    browser.request()
    assert type(browser.transport.protocol).__name__ == ClientProtocol.__name__
    assert front() is None
    assert browser.transport.producerState == "producing"


def test_bytes_behind_a_handshake_are_answered_after_it(server: Server) -> None:
    """They came before the 101, which they should not; they wait for it."""
    browser = Browser(server)
    browser.request(tail=frame(b'{"type":"ping"}'))
    head, _, rest = browser.transport.value().partition(b"\r\n\r\n")
    assert b" 101 " in head
    assert b'"pong"' in rest


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_handshake_may_come_in_parts(server: Server, size: int) -> None:
    """TCP knows no messages."""
    browser = Browser(server)
    data = b"\r\n".join([b"GET / HTTP/1.1", b"Host: x", *UPGRADE, b"", b""])
    for start in range(0, len(data), size):
        assert browser.transport.value() == b""
        browser.protocol.dataReceived(data[start : start + size])
    assert b" 101 " in browser.transport.value()


@pytest.mark.parametrize(
    ("lines", "first", "status"),
    [
        ([b"Origin: https://a.example", b"Origin: https://b.example"], b"GET / HTTP/1.1", 400),
        ([b"X: a\x85b"], b"GET / HTTP/1.1", 400),
        ([b"Content-Length: 1"], b"GET / HTTP/1.1", 413),
        ([b"Transfer-Encoding: chunked"], b"GET / HTTP/1.1", 501),
        ([*UPGRADE, b"Content-Length: 1"], b"GET / HTTP/1.1", 413),
        (UPGRADE[:2], b"GET / HTTP/1.1", 426),
        (UPGRADE, b"POST / HTTP/1.1", 405),
        ([], b"GET /" + b"a" * 3_000 + b" HTTP/1.1", 414),
        ([b"X: " + b"a" * 17_000], b"GET / HTTP/1.1", 431),
        ([], b"GET / HTTP/3.0", 505),
    ],
)
def test_a_fault_is_answered_and_the_connection_closed(
    server: Server, lines: list[bytes], first: bytes, status: int
) -> None:
    """With a status, a sentence that has its length, and nothing of what the client sent."""
    canary = b"X-Canary: canary"
    got = answer(server, canary, *lines, first=first)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close" in head
    assert f"Content-Length: {len(body)}".encode() in head and body.endswith(b"\n")
    for echo in (b"canary", b"example", b"aaaa", b"HTTP/3.0"):
        assert echo not in got


def test_what_autobahn_refuses_is_not_repeated_either(server: Server) -> None:
    """Its reasons quote the request; the answer has the status alone."""
    browser = Browser(server)
    browser.open(b"Sec-WebSocket-Protocol: canary, canary")
    assert browser.head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"canary" not in browser.head + browser.transport.value()


def test_pages_and_their_neighbours(server: Server) -> None:
    """Health, the way to upgrade, and nothing else; no answer names a product."""
    assert b"HTTP/1.1 200 OK" in answer(server, first=b"GET /healthz HTTP/1.1")
    assert b"HTTP/1.1 404 " in answer(server, b"Connection: close", first=b"GET /nothing HTTP/1.1")
    upgrade = answer(server)
    assert b"HTTP/1.1 426 " in upgrade and b"upgrade: websocket" in upgrade.lower()
    assert b"server:" not in upgrade.lower() and b"twisted" not in upgrade.lower()


def test_a_kept_connection_has_every_head_checked(server: Server) -> None:
    """The second request is answered as the first, and the third, which is unsound, is the last."""
    browser = Browser(server)
    for _ in range(2):
        browser.protocol.dataReceived(GET)
        assert browser.transport.value().startswith(b"HTTP/1.1 200 OK") and browser.transport.connected
        browser.transport.clear()
    browser.protocol.dataReceived(GET[:-2] + b"folded\r\n line: x\r\n\r\n" + GET)
    assert browser.transport.value().startswith(b"HTTP/1.1 400 ")
    assert browser.transport.value().count(b"HTTP/1.1") == 1
    assert not browser.transport.connected


def test_no_upgrade_after_a_page(server: Server) -> None:
    """What shares connections among clients would give one client's WebSocket to another."""
    browser = Browser(server)
    browser.protocol.dataReceived(GET)
    browser.transport.clear()
    browser.request()
    assert browser.transport.value().startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """All of one read, each with its own answer."""
    browser = Browser(server)
    browser.protocol.dataReceived((GET + GET.replace(b"healthz", b"nothing")) * 100)
    assert re.findall(rb"HTTP/1.1 (\d+)", browser.transport.value()) == [b"200", b"404"] * 100


def test_what_follows_the_last_answer_is_not_read(server: Server) -> None:
    """Connection: close, and HTTP/1.0, end the connection."""
    for last in (GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"GET /healthz HTTP/1.0\r\n\r\n"):
        browser = Browser(server)
        browser.protocol.dataReceived(last + GET)
        assert browser.transport.value().count(b" 200 OK") == 1
        assert not browser.transport.connected


# Deadlines.


def test_a_head_has_one_deadline_from_the_accept(server: Server, clock: Clock) -> None:
    """However steadily its bytes come."""
    browser = Browser(server)
    for _ in range(49):
        browser.protocol.dataReceived(b"X")
        clock.advance(0.1)
    assert browser.transport.connected
    clock.advance(0.2)
    assert browser.transport.value().startswith(b"HTTP/1.1 408 ")
    assert not browser.transport.connected


def test_a_connection_without_a_byte_is_closed_without_an_answer(server: Server, clock: Clock) -> None:
    """Browsers open some in advance."""
    browser = Browser(server)
    clock.advance(5.1)
    assert not browser.transport.connected and browser.transport.value() == b""


def test_an_idle_connection_is_closed(server: Server, clock: Clock) -> None:
    """After 30 s without another whole head; a part of one is none; nothing is logged."""
    browser = Browser(server)
    clock.advance(4)
    browser.protocol.dataReceived(GET)
    for _ in range(29):
        clock.advance(1)
        browser.protocol.dataReceived(b"G")
    assert browser.transport.connected
    clock.advance(1.1)
    assert not browser.transport.connected
    assert clock.getDelayedCalls() == []


def test_a_refused_client_that_goes_on_sending_is_cut_off(server: Server, clock: Clock) -> None:
    """What it sends is dropped so that it can read the answer, but neither for long nor for ever."""
    for endless in (True, False):
        browser = Browser(server)
        halves: list[bool] = []
        browser.transport.loseWriteConnection = lambda halves=halves: halves.append(True)  # type: ignore[attr-defined]
        browser.protocol.dataReceived(b"\r\n\r\n")
        assert halves == [True] and browser.transport.connected
        if endless:
            for _ in range(MAX_LINGER_BYTES // 65_536):
                browser.protocol.dataReceived(b"a" * 65_536)
            assert browser.transport.connected
            browser.protocol.dataReceived(b"a")
        else:
            clock.advance(LINGER_S + 0.1)
        assert not browser.transport.connected
    assert clock.getDelayedCalls() == []


def test_a_last_answer_that_is_not_read_is_given_up(server: Server, clock: Clock) -> None:
    """The transport would wait for ever."""
    browser = Browser(server)
    aborted: list[bool] = []
    browser.transport.loseConnection = lambda: None  # type: ignore[method-assign]
    browser.transport.abortConnection = lambda: aborted.append(True)  # type: ignore[method-assign]
    browser.protocol.dataReceived(b"GET /healthz HTTP/1.0\r\n\r\n")
    clock.advance(CLOSE_S - 1)
    assert aborted == []
    clock.advance(2)
    assert aborted == [True]
