"""What the load generator says to each kind of server, and how it recognises ticks in what comes back.

Bytes in, bytes out: no sockets, no clock. Client frames are masked with a key of zeros, which leaves the payload as
it is and costs nothing to make.
"""

import json
import struct
from collections.abc import Callable
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


@dataclass(frozen=True)
class Dialect:
    """How to ask for ticks, how to know that the request was taken, how to count ticks and read one's age.

    ``ping`` is the protocol's own, sent now and then: frames are not read, so a WebSocket ping is never answered.
    """

    subprotocol: str | None
    requests: Callable[[list[str]], bytes]
    ping: bytes
    ready: bytes
    tick: bytes
    stamp: Callable[[bytearray, int, bool], float | None]

    def change(self, dropped: list[str], taken: list[str]) -> bytes:
        """The requests that change a subscription; known for basic only."""
        unsubscribe, subscribe = ({"type": "unsubscribe", "symbols": dropped}, {"type": "subscribe", "symbols": taken})
        return b"".join(frame(TEXT, json.dumps(request).encode()) for request in (unsubscribe, subscribe))


def _json_requests(symbols: list[str]) -> bytes:
    subscribe = json.dumps({"type": "subscribe", "symbols": symbols}, separators=(",", ":"))
    return frame(TEXT, b'{"type":"connect"}') + frame(TEXT, subscribe.encode())


def _nats_requests(symbols: list[str]) -> bytes:
    lines = ['CONNECT {"verbose":false,"pedantic":false,"protocol":1}']
    lines += [f"SUB {symbol} {i}" for i, symbol in enumerate(symbols, 1)]
    return frame(BINARY, "\r\n".join([*lines, "PING", ""]).encode())


def _protobuf_requests(symbols: list[str]) -> bytes:
    connect, subscribe = ClientMessage(connect={}), ClientMessage(subscribe={"symbols": symbols})
    return frame(BINARY, connect.SerializeToString()) + frame(BINARY, subscribe.SerializeToString())


def _json_stamp(buffer: bytearray, end: int, newest: bool) -> float | None:
    """The bid of the newest or of the oldest tick in the buffer, times 100,000: its send time in microseconds."""
    at = buffer.rfind(b'"bid":', 0, end) if newest else buffer.find(b'"bid":', 0, end)
    stop = buffer.find(b",", at, min(end, at + 40))
    if at < 0 or stop < 0:
        return None
    return float(buffer[at + 6 : stop]) * 100_000


PROTOBUF_TICK = b"\x18\x06\x20"
"""Inside each tick: the tag of the spread, the feed's spread, the tag of the timestamp. The bid stands before it."""


def _protobuf_stamp(buffer: bytearray, end: int, newest: bool) -> float | None:
    """The same from a varint, read backwards: only its last byte lacks the top bit."""
    at = buffer.rfind(PROTOBUF_TICK, 0, end) if newest else buffer.find(PROTOBUF_TICK, 0, end)
    if at < 8:
        return None
    at -= 1
    value = buffer[at]
    while buffer[at - 1] & 0x80:
        at -= 1
        value = value << 7 | buffer[at] & 0x7F
    return value >> 1


JSON_PING = frame(TEXT, b'{"type":"ping"}')

DIALECTS: dict[str, Dialect] = {
    "basic": Dialect(None, _json_requests, JSON_PING, b'"subscribeResponse"', b'"type":"tick"', _json_stamp),
    "nats": Dialect(None, _nats_requests, frame(BINARY, b"PING\r\n"), b"PONG\r\n", b'"type":"tick"', _json_stamp),
    "v1-json": Dialect(
        "tickrelay.v1.json", _json_requests, JSON_PING, b'"subscribeResponse"', b'"type":"tick"', _json_stamp
    ),
    "v1-protobuf": Dialect(
        "tickrelay.v1.protobuf",
        _protobuf_requests,
        frame(BINARY, ClientMessage(ping={}).SerializeToString()),
        b"\x12\x0asubscribed",
        PROTOBUF_TICK,
        _protobuf_stamp,
    ),
}
