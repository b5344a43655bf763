"""A frontend of the basic protocol, on the WebSocket client of another library."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.processes import PATIENCE_S

SYMBOLS = ["EURUSD", "XAUUSD", "BTCUSD", "USDJPY"]


class Frontend:
    """A WebSocket client from another library, that collects the messages it gets."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **message: object) -> None:
        """Send a message."""
        self.socket.send(json.dumps(message))

    def until(self, wanted: Callable[[dict[str, Any]], object], timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """The messages up to the first for which *wanted* is true."""
        heard: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_s
        while not (heard and wanted(heard[-1])):
            heard.append(json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic()))))
        return heard

    def ticks_of(self, symbols: list[str], timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """The messages until a tick of every symbol has come."""
        missing = set(symbols)

        def all_seen(message: dict[str, Any]) -> bool:
            if message["type"] == "tick":
                missing.discard(message["symbol"])
            return not missing

        return self.until(all_seen, timeout_s)


@contextmanager
def subscribed(ws_port: int) -> Iterator[Frontend]:
    """A frontend that is connected, subscribed, and has seen ticks of every symbol."""
    with connect(f"ws://127.0.0.1:{ws_port}/", open_timeout=PATIENCE_S) as socket:
        frontend = Frontend(socket)
        subscribe(frontend)
        yield frontend


def subscribe(frontend: Frontend) -> None:
    """Connect and subscribe, as every frontend does."""
    frontend.say(type="connect")
    heard = frontend.until(lambda m: m.get("status") == "connected")
    assert set(SYMBOLS) <= set(heard[-1]["availableSymbols"])
    frontend.say(type="subscribe", symbols=SYMBOLS)
    (answer,) = [m for m in frontend.ticks_of(SYMBOLS) if m["type"] == "subscribeResponse"]
    assert {r["status"] for r in answer["results"]} == {"subscribed"}


def status_of(ws_port: int, wanted: str) -> dict[str, Any]:
    """Connect until the status is the one wanted; returns it."""
    with connect(f"ws://127.0.0.1:{ws_port}/", open_timeout=PATIENCE_S) as frontend:
        frontend.send(json.dumps({"type": "connect"}))
        while True:
            message: dict[str, Any] = json.loads(frontend.recv(timeout=PATIENCE_S))
            if message["type"] == "status" and message["status"] == wanted:
                return message
