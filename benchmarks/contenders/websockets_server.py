"""The contender ``websockets``: asyncio and the library's own ``broadcast``."""

import asyncio
import sys
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.contenders.common import Ticks, answer

subscribers: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def client(connection: ServerConnection) -> None:
    """One client from its opening to its end."""
    mine: set[str] = set()
    try:
        async for text in connection:
            reply, symbols = answer(text)
            for symbol in symbols:
                subscribers[symbol].add(connection)
            mine.update(symbols)
            await connection.send(reply)
    finally:
        for symbol in mine:
            subscribers[symbol].discard(connection)


async def relay(feed_port: int) -> None:
    """Hand every tick of the feed to those who asked for it."""
    reader, _ = await asyncio.open_connection("127.0.0.1", feed_port)
    ticks = Ticks()
    while data := await reader.read(65536):
        for symbol, message in ticks.feed(data):
            broadcast(subscribers[symbol], message)


async def main(port: int, feed_port: int) -> None:
    """Serve until the feed ends. No compression and no pings: the others do neither."""
    async with serve(client, "127.0.0.1", port, compression=None, ping_interval=None):
        await relay(feed_port)


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
