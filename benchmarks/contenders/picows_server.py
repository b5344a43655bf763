"""The contender ``picows``: Cython on uvloop, one ``send`` per tick and client."""

import asyncio
import sys
from collections import defaultdict

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from benchmarks.contenders.common import Ticks, answer

subscribers: defaultdict[str, set[WSTransport]] = defaultdict(set)


class Client(WSListener):
    """One client."""

    def __init__(self) -> None:
        super().__init__()
        self._symbols: set[str] = set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A request."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        reply, symbols = answer(frame.get_payload_as_bytes())
        for symbol in symbols:
            subscribers[symbol].add(transport)
        self._symbols.update(symbols)
        transport.send(WSMsgType.TEXT, reply.encode())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The end of it."""
        for symbol in self._symbols:
            subscribers[symbol].discard(transport)


def client(request: WSUpgradeRequest) -> Client:
    """Every request is taken."""
    return Client()


async def relay(feed_port: int) -> None:
    """Hand every tick of the feed to those who asked for it."""
    reader, _ = await asyncio.open_connection("127.0.0.1", feed_port)
    ticks = Ticks()
    while data := await reader.read(65536):
        for symbol, message in ticks.feed(data):
            payload = message.encode()
            for transport in subscribers[symbol]:
                transport.send(WSMsgType.TEXT, payload)


async def main(port: int, feed_port: int) -> None:
    """Serve until the feed ends."""
    await ws_create_server(client, "127.0.0.1", port)
    await relay(feed_port)


uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
