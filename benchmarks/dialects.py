"""What the load generator says to each kind of server.

Bytes in, bytes out: no sockets, no clock. Client frames are masked with a key of zeros, which leaves the payload as
it is and costs nothing to make.
"""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tickrelay.wire.tickrelay_pb2 import ClientMessage

TEXT, BINARY = 0x81, 0x82
NO_MASK = b"\0\0\0\0"


def frame(opcode: int, payload: bytes) -> bytes:
    """One masked client frame."""
    if len(payload) < 126:
        return bytes((opcode, 0x80 | len(payload))) + NO_MASK + payload
    return struct.pack("!BBH", opcode, 0x80 | 126, len(payload)) + NO_MASK + payload


def handshake(host: str, port: int, subprotocol: str | None) -> bytes:
    """The opening request; the key is a constant, nobody checks the answer to it."""
    lines = [
        "GET / HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return "\r\n".join([*lines, "", ""]).encode()


JSON, PROTOBUF, NATS = range(3)
"""How ticks look: ``enum kind`` in ``load/load.h``."""


@dataclass(frozen=True)
class Dialect:
    """How to ask for ticks, and how to know that the request was taken.

    ``requests`` takes symbols and a limit of ticks a second and symbol (0: none). ``ping`` is the protocol's own, sent
    now and then.
    """

    subprotocol: str | None
    kind: int
    requests: Callable[[Sequence[str], float], bytes]
    ping: bytes
    ready: bytes

    def change(self, dropped: list[str], taken: list[str]) -> bytes:
        """The requests that change a subscription; known for basic only."""
        unsubscribe, subscribe = ({"type": "unsubscribe", "symbols": dropped}, {"type": "subscribe", "symbols": taken})
        return b"".join(frame(TEXT, json.dumps(request).encode()) for request in (unsubscribe, subscribe))


def json_requests(symbols: Sequence[str], max_rate: float = 0.0, **more: object) -> bytes:
    """``connect`` and ``subscribe`` as frames."""
    subscribe: dict[str, object] = {"type": "subscribe", "symbols": symbols, **more}
    if max_rate:
        subscribe["maxRate"] = max_rate
    return frame(TEXT, b'{"type":"connect"}') + frame(TEXT, json.dumps(subscribe, separators=(",", ":")).encode())


def _nats_requests(symbols: Sequence[str], max_rate: float) -> bytes:
    lines = ['CONNECT {"verbose":false,"pedantic":false,"protocol":1}']
    lines += [f"SUB {symbol} {i}" for i, symbol in enumerate(symbols, 1)]
    return frame(BINARY, "\r\n".join([*lines, "PING", ""]).encode())


def _protobuf_requests(symbols: Sequence[str], max_rate: float) -> bytes:
    connect, subscribe = ClientMessage(connect={}), ClientMessage(subscribe={"symbols": symbols})
    if max_rate:
        subscribe.subscribe.max_rate = max_rate
    return frame(BINARY, connect.SerializeToString()) + frame(BINARY, subscribe.SerializeToString())


JSON_PING = frame(TEXT, b'{"type":"ping"}')

READY = b'"subscribeResponse"'

DIALECTS: dict[str, Dialect] = {
    "basic": Dialect(None, JSON, json_requests, JSON_PING, READY),
    "nats": Dialect(None, NATS, _nats_requests, frame(BINARY, b"PING\r\n"), b"PONG\r\n"),
    "v1-json": Dialect("tickrelay.v1.json", JSON, json_requests, JSON_PING, READY),
    "v1-protobuf": Dialect(
        "tickrelay.v1.protobuf",
        PROTOBUF,
        _protobuf_requests,
        frame(BINARY, ClientMessage(ping={}).SerializeToString()),
        b"\x12\x0asubscribed",
    ),
}
