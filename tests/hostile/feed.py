"""A cTrader server that quotes steadily, whatever happens to its client, and whose prices count; a process of its own.

::

    python -m tests.hostile.feed --ca ca.pem --symbols 3000 --spots 200

The symbols are called FEED00001 and so on, with ids from 1. ``--spots`` events a second go to those of the first
`TICKING` that are subscribed, one after the other; of the others only the subscription's own spot is sent. The n-th
spot of a symbol has the bid ``FIRST_BID + n`` (1/100000) and counts on across connections: whoever sees two ticks of a
symbol knows how many the broker sent between them.
"""

import argparse
import asyncio
import contextlib
import ssl
import struct
import time
from pathlib import Path

import trustme
from google.protobuf.message import Message

from tickrelay.openapi import registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent
from tickrelay.openapi.frames import encode, open_envelope, open_payload
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolByIdReq,
    ProtoOASymbolByIdRes,
    ProtoOASymbolsListRes,
    ProtoOAUnsubscribeSpotsReq,
    ProtoOAVersionRes,
)

ACCOUNT_ID = 1001
TICKING = 20
FIRST_BID = 100_000
SPREAD = 3
HEARTBEAT_S = 10.0
TURN_S = 0.005
MAX_BEHIND_BYTES = 4_194_304
"""A client that reads so little gets no more ticks, as at the real server."""

_length = struct.Struct("!I")


def symbol_name(symbol_id: int) -> str:
    """The name of a symbol."""
    return f"FEED{symbol_id:05d}"


def count_of(bid: float) -> int:
    """Which spot of its symbol had this *bid*, a decimal price."""
    return round(bid * 100_000) - FIRST_BID


def _frame(message: Message, msg_id: str = "") -> bytes:
    encoded = encode(message, msg_id)
    return _length.pack(len(encoded)) + encoded


class Feed:
    """What outlives a connection."""

    def __init__(self, symbols: int, spots_per_s: float) -> None:
        self.symbols = range(1, symbols + 1)
        self._spots_per_s = spots_per_s
        self._counts = dict.fromkeys(self.symbols, 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: answer its requests, and quote what it has subscribed."""
        subscribed: dict[int, None] = {}
        ticking = asyncio.create_task(self._tick(writer, subscribed))
        try:
            while True:
                (length,) = _length.unpack(await reader.readexactly(4))
                self._answer(await reader.readexactly(length), writer, subscribed)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            ticking.cancel()
            writer.close()

    async def _tick(self, writer: asyncio.StreamWriter, subscribed: dict[int, None]) -> None:
        due, place, last_s, beat_s = 0.0, 0, time.monotonic(), time.monotonic()
        while True:
            await asyncio.sleep(TURN_S)
            now_s = time.monotonic()
            due += (now_s - last_s) * self._spots_per_s
            last_s = now_s
            if now_s - beat_s > HEARTBEAT_S:
                beat_s = now_s
                writer.write(_frame(ProtoHeartbeatEvent()))
            ids = [symbol_id for symbol_id in range(1, TICKING + 1) if symbol_id in subscribed]
            chunk: list[bytes] = []
            while due >= 1:
                due -= 1
                if ids:
                    place += 1
                    chunk.append(self._spot(ids[place % len(ids)]))
            if chunk and writer.transport.get_write_buffer_size() < MAX_BEHIND_BYTES:
                writer.write(b"".join(chunk))

    def _spot(self, symbol_id: int) -> bytes:
        self._counts[symbol_id] += 1
        bid = FIRST_BID + self._counts[symbol_id]
        event = ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=symbol_id, bid=bid, ask=bid + SPREAD)
        event.timestamp = int(time.time() * 1000)
        return _frame(event)

    def _answer(self, frame: bytes, writer: asyncio.StreamWriter, subscribed: dict[int, None]) -> None:
        envelope = open_envelope(frame)
        row, request = registry.find(envelope.payloadType), open_payload(envelope)
        if row is None or row.answer is None or request is None:
            return
        message: Message = row.answer.message()
        for field in ("ctidTraderAccountId", "accessToken"):
            if field in message.DESCRIPTOR.fields_by_name:
                setattr(message, field, getattr(request, field))
        match message:
            case ProtoOAVersionRes():
                message.version = "90"
            case ProtoOAGetAccountListByAccessTokenRes():
                message.ctidTraderAccount.add(ctidTraderAccountId=ACCOUNT_ID, isLive=False, traderLogin=1)
            case ProtoOASymbolsListRes():
                for symbol_id in self.symbols:
                    name = symbol_name(symbol_id)
                    message.symbol.add(symbolId=symbol_id, symbolName=name, enabled=True, description=f"About {name}")
            case ProtoOASymbolByIdRes():
                assert isinstance(request, ProtoOASymbolByIdReq)
                for symbol_id in request.symbolId:
                    message.symbol.add(symbolId=symbol_id, digits=5, pipPosition=4)
        writer.write(_frame(message, envelope.clientMsgId))
        if isinstance(request, ProtoOASubscribeSpotsReq):
            for symbol_id in request.symbolId:
                subscribed[symbol_id] = None
                writer.write(self._spot(symbol_id))
        elif isinstance(request, ProtoOAUnsubscribeSpotsReq):
            for symbol_id in request.symbolId:
                subscribed.pop(symbol_id, None)


def server_context(authority: Path) -> ssl.SSLContext:
    """A TLS context for localhost, whose authority is written to *authority*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made = trustme.CA()
    made.issue_cert("localhost").configure_cert(context)
    made.cert_pem.write_to_path(authority)
    return context


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ca", type=Path, required=True, help="where to write the authority to trust")
    parser.add_argument("--symbols", type=int, default=64)
    parser.add_argument("--spots", type=float, default=200.0, help="spot events a second, in all")
    options = parser.parse_args()
    feed = Feed(options.symbols, options.spots)
    server = await asyncio.start_server(feed.serve, "127.0.0.1", 0, ssl=server_context(options.ca), limit=1 << 24)
    print(f"feed on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
