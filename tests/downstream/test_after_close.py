"""After our close frame: only its answer is waited for, and what else comes costs next to nothing."""

from collections.abc import Iterator

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.frames import frame
from tickrelay.downstream.autobahn_adapter import MAX_CLOSING_BYTES, MAX_CLOSING_STEPS, WebSocketConnection
from tickrelay.downstream.connection import LINGER_S
from tickrelay.model.errors import CloseCode

PONG = frame(b"", opcode=10)
CLOSE = frame(b"\x03\xe8", opcode=8)
CHUNK = PONG * (65_536 // len(PONG))
FLOOD = 300_000


@pytest.fixture
def server(clock: Clock) -> Server:
    """The clients' side, with cTrader connected."""
    server = Server(clock)
    server.go_live()
    return server


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The opcodes of the frames that were begun to be read."""
    opcodes: list[int] = []
    begin = WebSocketConnection.onFrameBegin

    def counted(connection: WebSocketConnection) -> None:
        opcodes.append(connection.current_frame.opcode)
        begin(connection)

    monkeypatch.setattr(WebSocketConnection, "onFrameBegin", counted)
    yield opcodes


def flood(browser: Browser) -> None:
    """Send pongs, as TCP delivers them, for as long as the transport is read."""
    for _ in range(FLOOD // (len(CHUNK) // len(PONG))):
        browser.protocol.dataReceived(CHUNK)  # paused or not: TLS delivers what it had read already


def refused(server: Server) -> Browser:
    """A client with a close frame on its way: it asked for a subprotocol that there is not."""
    browser = server.browser(b"Sec-WebSocket-Protocol: tickrelay.v9")
    assert [opcode for opcode, _ in browser.frames()] == [8]
    return browser


def test_a_flood_after_a_refusal_is_not_read(server: Server, read: list[int]) -> None:
    """Hundreds of thousands of pongs: a few are read, then the socket no more, and it is aborted in time."""
    browser = refused(server)
    flood(browser)
    assert len(read) <= MAX_CLOSING_STEPS
    assert browser.transport.producerState == "paused"
    assert len(browser.protocol.data) <= MAX_CLOSING_BYTES
    assert browser.transport.connected
    server.clock.advance(LINGER_S + 0.1)
    assert not browser.transport.connected


def test_a_flood_that_was_paced_is_not_read_either(clock: Clock, read: list[int]) -> None:
    """A client that floods is closed while it is not read: what it had sent is not read at once."""
    server = Server(clock, messages_burst=10, messages_per_s=1.0)
    browser = server.browser()
    browser.protocol.dataReceived(CHUNK)
    paced = len(read)
    assert browser.transport.producerState == "paused"
    browser.protocol.close(CloseCode.RESTART, "service restart")
    clock.pump([0.1] * 28)
    flood(browser)
    assert len(read) - paced <= MAX_CLOSING_STEPS
    assert browser.transport.producerState == "paused"
    clock.advance(0.5)
    assert not browser.transport.connected


def test_a_flood_behind_the_clients_own_close_is_dropped(server: Server, read: list[int]) -> None:
    """While the transport still writes: nothing of it is kept, and with too much the socket is not read any more."""
    browser = server.browser()
    aborted: list[bool] = []
    browser.transport.loseConnection = lambda: None  # type: ignore[method-assign]
    browser.transport.abortConnection = lambda: aborted.append(True)  # type: ignore[method-assign]
    browser.protocol.dataReceived(CLOSE)
    flood(browser)
    assert read == [8]
    assert browser.protocol.data == b""
    assert browser.transport.producerState == "paused"
    server.clock.advance(LINGER_S + 0.1)
    assert aborted == [True]


@pytest.mark.parametrize("before", [0, 1, 100])
def test_the_answer_to_a_close_frame_is_read(server: Server, before: int) -> None:
    """Behind what the client had sent before it knew, and the connection is gone at once."""
    browser = refused(server)
    browser.protocol.dataReceived(frame(b'{"type":"ping"}') * before + CLOSE)
    assert not browser.transport.connected
    assert list(browser.frames()) == []


def test_an_answer_in_single_bytes_is_read(server: Server) -> None:
    """TCP knows no frames."""
    browser = refused(server)
    for n in range(len(CLOSE)):
        browser.protocol.dataReceived(CLOSE[n : n + 1])
    assert not browser.transport.connected
