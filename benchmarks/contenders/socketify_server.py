"""The contender ``socketify``: uWebSockets (C++) through its Python binding, with its own publish and subscribe."""

import asyncio
import sys
from typing import Any

from socketify import App, AppListenOptions, OpCode

from benchmarks.contenders.common import Ticks, answer

FOREVER = 0
"""No idle timeout: the other contenders have none either."""


def message(socket: Any, text: Any, opcode: OpCode) -> None:
    """A request."""
    reply, symbols = answer(text)
    for symbol in symbols:
        socket.subscribe(symbol)
    socket.send(reply, OpCode.TEXT)


async def relay(app: App, feed_port: int) -> None:
    """Publish every tick of the feed."""
    reader, _ = await asyncio.open_connection("127.0.0.1", feed_port)
    ticks = Ticks()
    while data := await reader.read(65536):
        for symbol, text in ticks.feed(data):
            app.publish(symbol, text, OpCode.TEXT)
    app.close()


def main(port: int, feed_port: int) -> None:
    """Serve until the feed ends."""
    app = App()
    app.ws("/", {"compression": 0, "idle_timeout": FOREVER, "message": message})
    app.listen(AppListenOptions(port=port, host="127.0.0.1"), lambda config: None)
    feed = app.loop.create_task(relay(app, feed_port))  # kept: the loop itself holds tasks only weakly
    app.run()
    feed.cancel()


main(int(sys.argv[1]), int(sys.argv[2]))
