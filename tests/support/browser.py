"""A browser in memory (the opening request, masked frames in, messages out), and a relay to connect it to."""

import json
from collections.abc import Iterator
from typing import Any

import txaio
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

from tests.support.frames import frame, take_frames
from tests.support.relay import EPOCH, FakeFeed, TestClock
from tickrelay.config.settings import ClientSettings, RelaySettings
from tickrelay.downstream.factory import ClientFactory
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.model.ticks import Symbol
from tickrelay.relay.hub import Hub
from tickrelay.service import front_of
from tickrelay.wire.encodings import make_encodings

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
CONNECTING = FeedStatus(Status.CTRADER_CONNECTING, FeedState.CONNECTING)
LIVE = FeedStatus(Status.CONNECTED, FeedState.LIVE)
LOST = FeedStatus(Status.DISCONNECTED, FeedState.WAITING)


class Server:
    """The client side of the relay on a clock, with a hub whose feed is the test's."""

    def __init__(self, clock: Clock, time: TestClock | None = None, **settings: Any) -> None:
        txaio.config.loop = clock  # Autobahn's timers; the factory's reactor argument does not reach them
        self.clock = clock
        encodings = make_encodings(EPOCH)
        time = time or TestClock(clock)
        self.hub = Hub(time, encodings, RelaySettings(), EPOCH)
        self.feed = FakeFeed()
        self.hub.feed = self.feed
        self.factory = ClientFactory(self.hub, encodings, ClientSettings(**settings), time)
        self.front = front_of(self.factory, time, clock)
        self.front.doStart()
        self.symbols = [
            Symbol(symbol_id=1, name="EURUSD"),
            Symbol(symbol_id=41, name="XAUUSD", digits=2, pip_position=0),
            Symbol(symbol_id=50, name="OLD", enabled=False),
        ]

    def go_live(self) -> None:
        """The cTrader session comes up."""
        self.hub.status_changed(CONNECTING)
        self.hub.symbols_loaded(self.symbols)
        self.hub.status_changed(LIVE)

    def browser(self, *lines: bytes) -> "Browser":
        """A client that has opened its connection, with more header *lines*."""
        browser = Browser(self)
        browser.open(*lines)
        return browser

    def spot(self, symbol_id: int, bid: int, ask: int) -> None:
        """A spot event arrives, and the turn ends."""
        self.hub.spot(symbol_id, bid, ask, 0)
        self.clock.advance(0)

    def pass_time(self, seconds: int) -> None:
        """Let time pass as it does with the service running, which runs the factory's jobs each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.factory.jobs.run()


class Transport(StringTransportWithDisconnection):
    """As a TCP transport, on which a producer can be unregistered that is not there."""

    def unregisterProducer(self) -> None:
        """Autobahn does so whenever it drops a connection."""
        if self.producer is not None:
            super().unregisterProducer()


class Browser:
    """One connection, seen from the client's end."""

    head: bytes
    """The head of the answer to the opening request."""

    def __init__(self, server: Server, address: str = "10.0.0.1", transport: Transport | None = None) -> None:
        self.server = server
        self.transport = transport or Transport(peerAddress=IPv4Address("TCP", address, 1234))
        self.transport.protocol = server.front.buildProtocol(None)
        self.head = b""
        self.protocol.makeConnection(self.transport)

    @property
    def protocol(self) -> Any:
        """The server's end: at first the front, after the handshake a `ClientProtocol`."""
        return self.transport.protocol

    def request(self, *lines: bytes, tail: bytes = b"") -> None:
        """Send the opening request with more header *lines*, and *tail* in the same TCP segment."""
        self.protocol.dataReceived(
            b"\r\n".join([b"GET / HTTP/1.1", b"Host: localhost:8080", b"Upgrade: websocket", b"Connection: Upgrade",
                          b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 13", *lines, b"", tail])
        )  # fmt: skip

    def open(self, *lines: bytes) -> None:
        """Send the opening request with more header *lines*, and take the answer's head."""
        self.request(*lines)
        self.opened()

    def opened(self) -> None:
        """Take the head of the answer."""
        self.head, _, rest = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        self.transport.write(rest)

    def say(self, *messages: object) -> None:
        """Send JSON messages, all in one TCP read."""
        self.protocol.dataReceived(b"".join(frame(json.dumps(m).encode()) for m in messages))

    def hear(self) -> list[dict[str, Any]]:
        """The messages that came since the last call."""
        return [json.loads(payload) for opcode, payload in self.frames() if opcode == 1]

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of the frames that came since the last call."""
        data = bytearray(self.transport.value())
        self.transport.clear()
        yield from take_frames(data)
        assert not data, "a cut frame"

    def outcome(self) -> list[Any]:
        """The messages and the codes of the close frames that came since the last call, in their order."""
        return [int.from_bytes(data[:2], "big") if op == 8 else json.loads(data) for op, data in self.frames()]

    def closes(self) -> list[tuple[int, str]]:
        """Code and reason of the close frames that came since the last call; other frames are dropped."""
        return [(int.from_bytes(data[:2], "big"), data[2:].decode()) for op, data in self.frames() if op == 8]

    def close_codes(self) -> list[int]:
        """The codes of the close frames that came since the last call; other frames are dropped."""
        return [code for code, _ in self.closes()]

    def ask(self, message: object) -> dict[str, Any]:
        """Send one message and take its one answer."""
        self.say(message)
        (answer,) = self.hear()
        return answer

    def vanish(self, clean: bool = False) -> None:
        """The connection is lost, without a closing handshake."""
        self.protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))
