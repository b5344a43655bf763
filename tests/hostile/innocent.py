"""One well-behaved client on a raw socket: subscribes, pings, resumes, and holds all it gets against the rules.

Has no loop of its own: its owner polls `fileno`, calls `ready`, and looks at what it collected. Nothing here blocks but
`open` over TLS. Rules are those of `tests.support.checker`; where the broker's prices count (`tests.hostile.feed`),
each tick is held against what the broker sent as well: a spot that is missing without a ``gap`` was lost in silence.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.feed import count_of
from tests.support.checker import Checker
from tests.support.frames import frame, take_frames
from tests.support.view import View
from tickrelay.wire import protobuf
from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.tickrelay_pb2 import ClientMessage

IP_BIND_ADDRESS_NO_PORT = 24
READ_BYTES = 262_144
SUBPROTOCOLS = {"json": "tickrelay.v1.json", "protobuf": "tickrelay.v1.protobuf", "basic": ""}
FEATURES = ["gap", "notice", "heartbeat", "marketState"]

Message = dict[str, Any]
_requests = {f.json_name: f.name for f in ClientMessage.DESCRIPTOR.oneofs_by_name["request"].fields}
_parser = make_encodings("").v1_json


def request_frame(message: Message, dialect: str = "json") -> bytes:
    """A request as a frame of this dialect (a key of `SUBPROTOCOLS`)."""
    text = json.dumps(message, separators=(",", ":")).encode()
    if dialect != "protobuf":
        return frame(text)
    request = _parser.parse(text, False)
    envelope = ClientMessage()
    protobuf.fill(request, getattr(envelope, _requests[message["type"]]))
    if "id" in message:
        protobuf.set_mark(envelope, message["id"])
    return frame(envelope.SerializeToString(), 2)


def opening(dialect: str = "json", *lines: str) -> bytes:
    """The opening request, with more header *lines*."""
    head = ["GET / HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    head += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    if SUBPROTOCOLS[dialect]:
        head.append(f"Sec-WebSocket-Protocol: {SUBPROTOCOLS[dialect]}")
    return "\r\n".join([*head, *lines, "", ""]).encode()


def socket_from(address: str) -> socket.socket:
    """A non-blocking socket bound to *address*; the port is chosen with the connection, so that none run out."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((address, 0))
    return sock


@dataclass(frozen=True)
class Target:
    """Where the relay is, and how to be let in."""

    port: int
    authority: str = ""
    """PEM file; empty: no TLS."""
    token: str = ""

    def lines(self) -> list[str]:
        """Header lines of the opening request."""
        return [f"Authorization: Bearer {self.token}"] if self.token else []

    def context(self) -> ssl.SSLContext:
        """To verify the relay's certificate with."""
        context = ssl.create_default_context(cafile=self.authority)
        context.set_alpn_protocols(["http/1.1"])
        return context


@dataclass
class Innocent:
    """The client. *counted*: the prices are those of `tests.hostile.feed`."""

    target: Target
    address: str
    symbols: Sequence[str]
    dialect: str = "json"
    counted: bool = False
    on_tick: Callable[["Innocent", Message], None] = lambda client, tick: None
    checker: Checker = field(default_factory=Checker)
    faults: list[str] = field(default_factory=list)
    """Beyond those of the checker."""
    closes: list[str] = field(default_factory=list)
    """Every end of a connection that the client did not want: close code and reason, or what the socket said."""
    statuses: list[tuple[float, str]] = field(default_factory=list)
    """When each came (wall milliseconds), and the status with the feed's state, as in ``connected live``."""
    answers: dict[str, Message] = field(default_factory=dict)
    """The newest message of each type that is not a tick."""
    pongs: list[tuple[float, float]] = field(default_factory=list)
    """When each answered ping was sent (monotonic seconds), and how long its answer took."""
    pings: dict[int, float] = field(default_factory=dict)
    """Those that were not answered yet: id -> when it was sent."""
    state: str = "closed"
    """``closed``, ``connecting``, ``opening``, ``subscribing``, ``open``."""
    opened_s: float = 0.0
    pinged_s: float = 0.0
    subscribed_s: float = 0.0
    _sock: Any = None
    _buffer: bytearray = field(default_factory=bytearray)
    _unsent: bytes = b""
    _number: int = 0
    _close_frame: str = ""
    _offsets: dict[str, int] = field(default_factory=dict)

    def fileno(self) -> int:
        """Of the socket; -1 while there is none."""
        return -1 if self._sock is None else int(self._sock.fileno())

    @property
    def wants_to_write(self) -> bool:
        """Whether to poll for that, too."""
        return self.state == "connecting" or bool(self._unsent)

    def open(self) -> None:
        """Connect, from where the last connection ended."""
        self.opened_s = time.monotonic()
        self._buffer.clear()
        self._unsent, self._close_frame = b"", ""
        self.pings.clear()
        self.checker.opened()
        self._view = View()
        self.state = "connecting"
        sock = socket_from(self.address)
        if self.target.authority:
            sock.settimeout(5.0)
            sock.connect(("127.0.0.1", self.target.port))
            self._sock = self.target.context().wrap_socket(sock, server_hostname="localhost")
            self._sock.setblocking(False)
        else:
            sock.connect_ex(("127.0.0.1", self.target.port))
            self._sock = sock

    def leave(self) -> None:
        """Go away, without a closing handshake."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self.state = "closed"

    def say(self, **message: Any) -> None:
        """Send a request."""
        self._send(request_frame(message, self.dialect))

    def ping(self) -> None:
        """Ask for a pong, and take the time. (Basic pongs have no id: they come in the order of the pings.)"""
        self._number += 1
        self.pings[self._number] = self.pinged_s = time.monotonic()
        self.say(type="ping", **({} if self.dialect == "basic" else {"id": self._number}))

    def ready(self) -> None:
        """The socket can be read or written, or has ended."""
        try:
            if self.state == "connecting":
                error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                self.state = "opening"
                self._send(opening(self.dialect, *self.target.lines()))
                return
            if self._unsent:
                self._send(b"")
            while True:
                data = self._sock.recv(READ_BYTES)
                if not data:
                    raise ConnectionResetError("end of the stream")
                self._buffer += data
                if not self.target.authority and len(data) < READ_BYTES:
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as e:
            self._lost(self._close_frame or str(e))
            return
        self._read()

    def _send(self, data: bytes) -> None:
        data = self._unsent + data
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            sent = len(data)  # its end is noticed where it is read
        self._unsent = data[sent:]

    def _lost(self, why: str) -> None:
        self.closes.append(why)
        self.leave()

    def _read(self) -> None:
        if self.state == "opening":
            head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._lost(head[:60].decode("latin-1"))
                return
            self._buffer[:] = rest
            self.state = "subscribing"
            self._subscribe()
        for opcode, payload in take_frames(self._buffer):
            if opcode == 9:
                self._send(frame(payload, 10))
            elif opcode == 8:
                self._close_frame = f"{int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}"
                self._send(frame(payload[:2], 8))
            elif opcode in (1, 2):
                self._take(self._view.read(payload, opcode == 2))

    def _subscribe(self) -> None:
        if self.dialect == "basic":
            self.say(type="connect")
            self.say(type="subscribe", symbols=list(self.symbols))
        else:
            self.say(type="connect", protocol=1, features=FEATURES)
            resume = {name: at for name, at in self.checker.resume().items() if name in self.symbols}
            self.say(type="subscribe", symbols=list(self.symbols), snapshot=True, resume=resume)

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind != "tick":
            self.answers[kind] = message
        if kind == "pong":
            number = message["id"] if "id" in message else next(iter(self.pings), 0)
            sent_s = self.pings.pop(number, None)
            if sent_s is not None:
                self.pongs.append((sent_s, time.monotonic() - sent_s))
            return
        if kind == "status":
            self.statuses.append(
                (time.time() * 1000, f"{message['status']} {message.get('feed', {}).get('state', '')}")
            )
        elif kind == "subscribeResponse" and self.state == "subscribing":
            self.state, self.subscribed_s = "open", time.monotonic()
        if self.dialect != "basic":
            self.checker.take(message)
        if kind == "gap":
            self._offsets.pop(message["symbol"], None)
        elif kind == "subscribeResponse":
            for result in message["results"]:
                if result.get("recovered") is False:
                    self._offsets.pop(result.get("name", result["symbol"]), None)
        elif kind == "tick":
            self._tick(message)

    def _tick(self, tick: Message) -> None:
        if self.counted and "seq" in tick:
            offset = count_of(tick["bid"]) - tick["seq"]
            if self._offsets.setdefault(tick["symbol"], offset) != offset:
                missing = offset - self._offsets[tick["symbol"]]
                self.faults.append(f"{missing} spots missing before {tick}, and no gap was declared")
                self._offsets[tick["symbol"]] = offset
        self.checker.prices.clear()  # the owner looks at each tick: nothing is kept of it here
        self.on_tick(self, tick)
