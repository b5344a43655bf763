"""What the Python contenders share: reading the feed, answering requests, making a tick's JSON. No sockets."""

import json
import time
from collections.abc import Iterator

from benchmarks.feed import RECORD
from benchmarks.workloads import SYMBOLS

_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS, 1)}


class Ticks:
    """Cuts the feed's bytes into ticks: (symbol, the message as text)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The ticks that are complete now."""
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        self._rest = data[whole:]
        for symbol_id, bid, ask in RECORD.iter_unpack(data[:whole]):
            symbol = SYMBOLS[symbol_id - 1]
            yield symbol, tick_message(symbol, symbol_id, bid, ask)


def tick_message(symbol: str, symbol_id: int, bid: float, ask: float) -> str:
    """A tick as the clients get it."""
    return json.dumps(
        {
            "type": "tick",
            "symbol": symbol,
            "symbolId": symbol_id,
            "bid": bid,
            "ask": ask,
            "spread": round(ask - bid, 5),
            "timestamp": int(time.time() * 1000),
        },
        separators=(",", ":"),
    )


def answer(text: str | bytes) -> tuple[str, list[str]]:
    """The answer to a client's request, and the symbols it subscribed to by it."""
    request = json.loads(text)
    if request["type"] == "connect":
        return json.dumps({"type": "status", "status": "connected", "availableSymbols": SYMBOLS}), []
    if request["type"] == "ping":
        return json.dumps({"type": "pong", "timestamp": int(time.time() * 1000)}), []
    symbols = [symbol for symbol in request.get("symbols", []) if symbol in _IDS]
    results = [{"symbol": symbol, "status": "subscribed"} for symbol in symbols]
    return json.dumps({"type": "subscribeResponse", "results": results}), symbols
