"""A cTrader server that is nothing but fast: the feed of tickrelay itself, over TLS, in the frames of the Open API.

It answers what a session asks before it is live, and then writes spot events of all fifty symbols, subscribed or not,
at the rate set on standard input, as ``feed.py`` does for the others; the bid carries the send time in the same way.
It checks nothing it is sent. Frames are put together from pieces made before: it shares its core with the load
generator. For a server that behaves like the real one see `tickrelay.simulator`.
"""

import argparse
import ssl
import time
from pathlib import Path

from google.protobuf.message import Message

from benchmarks.certificates import server_context
from benchmarks.feed import accept, run
from benchmarks.workloads import SYMBOLS
from tickrelay.openapi import registry
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.frames import SPOT, encode, open_envelope, open_payload
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOASpotEvent,
    ProtoOASymbolByIdRes,
    ProtoOASymbolsListRes,
    ProtoOAVersionRes,
)

ACCOUNT = 1001
BID, ASK, TIMESTAMP = b"\x20", b"\x28", b"\x40"
"""The tags of a spot event's fields 4, 5 and 8."""
QUIET_S = 0.3
"""So long after its last question the session is taken to be live."""


def varint(value: int) -> bytes:
    """A number as Protobuf writes it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def prefixed(frame: bytes) -> bytes:
    """A frame with its length before it."""
    return len(frame).to_bytes(4, "big") + frame


def answer(envelope: ProtoMessage) -> bytes:
    """The frame that answers a request, whatever it asks; empty for what has no answer."""
    row = registry.find(envelope.payloadType)
    if row is None or row.answer is None:
        return b""
    request = open_payload(envelope)
    message: Message = row.answer.message()
    for field in ("ctidTraderAccountId", "accessToken"):
        if field in message.DESCRIPTOR.fields_by_name:
            setattr(message, field, getattr(request, field))
    match message:
        case ProtoOAVersionRes():
            message.version = "90"
        case ProtoOAGetAccountListByAccessTokenRes():
            message.ctidTraderAccount.add(ctidTraderAccountId=ACCOUNT, isLive=False, traderLogin=1)
        case ProtoOASymbolsListRes():
            for symbol_id, name in enumerate(SYMBOLS, 1):
                message.symbol.add(symbolId=symbol_id, symbolName=name, enabled=True)
        case ProtoOASymbolByIdRes():
            for symbol_id in range(1, len(SYMBOLS) + 1):
                message.symbol.add(symbolId=symbol_id, digits=5, pipPosition=4)
    return prefixed(encode(message, envelope.clientMsgId))


class Spots:
    """Puts spot frames together: head made once a symbol and length, prices once a batch and spread."""

    def __init__(self) -> None:
        self._heads: dict[int, list[bytes]] = {}

    def batch(self, ticks: list[tuple[int, int]], stamp: int) -> bytes:
        """One spot event for each tick (symbol id, spread in points), with the same bid."""
        bid, end = BID + varint(stamp) + ASK, TIMESTAMP + varint(int(time.time() * 1000))
        made: dict[int, tuple[bytes, list[bytes]]] = {}
        frames = []
        for symbol_id, spread in ticks:
            prices = made.get(spread)
            if prices is None:
                body = bid + varint(stamp + spread) + end
                prices = made[spread] = (body, self._heads.get(len(body)) or self._make_heads(body))
            body, heads = prices
            frames.append(heads[symbol_id])
            frames.append(body)
        return b"".join(frames)

    def _make_heads(self, body: bytes) -> list[bytes]:
        """Everything before the prices; the envelope has its fields in the order of their numbers."""
        heads = [b""]
        for symbol_id in range(1, len(SYMBOLS) + 1):
            event = ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=symbol_id).SerializeToString()
            frame = ProtoMessage(payloadType=SPOT, payload=event + body).SerializeToString()
            heads.append(prefixed(frame)[: -len(body)])
        self._heads[len(body)] = heads
        return heads


class Link:
    """The session's connection: a `benchmarks.feed.Wire` over TLS."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._heard = b""
        self._answers = bytearray()
        self._spots = Spots()
        self._asked_s = 0.0
        self._live = False
        self.batch = self._spots.batch
        sock.setblocking(False)

    def send(self, data: bytearray) -> int:
        """See `Wire`."""
        try:
            return self._sock.send(data)
        except ssl.SSLWantWriteError:
            return 0

    def hear(self) -> None:
        """See `Wire`. An answer is small and the ticks wait for it."""
        try:
            while data := self._sock.recv(65536):
                self._heard += data
            raise ConnectionResetError  # in order, but gone
        except ssl.SSLWantReadError:
            pass
        while len(self._heard) >= 4 and len(self._heard) >= 4 + int.from_bytes(self._heard[:4], "big"):
            size = int.from_bytes(self._heard[:4], "big")
            self._answers += answer(open_envelope(self._heard[4 : 4 + size]))
            self._heard = self._heard[4 + size :]
            self._asked_s = time.monotonic()
        if self._answers:
            del self._answers[: self.send(self._answers)]
        if not self._live and self._asked_s and time.monotonic() > self._asked_s + QUIET_S:
            self._live = True
            print("connected", flush=True)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--ca", type=Path, required=True, help="where to write the authority that the relay must trust")
    options = parser.parse_args()
    context = server_context(options.ca)
    try:
        run(Link(context.wrap_socket(accept(options.listen), server_side=True)))
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass  # the relay has gone: so do we


if __name__ == "__main__":
    main()
