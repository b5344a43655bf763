"""Clients that resume, and a relay for them."""

from typing import Any

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.checker import Checker
from tests.support.turns import Turns
from tests.support.v1 import ANSWERS, JSON, PROTOBUF, request_frame
from tests.support.view import View
from tickrelay.model.ticks import Symbol

NAMES = ["EURUSD", "GBPUSD", "XAUUSD"]


class Resumer:
    """A client that checks all it is sent, and reconnects and resumes again and again."""

    def __init__(self, server: Server, turns: Turns, number: int) -> None:
        self.offer = (JSON, PROTOBUF)[number % 2]
        self.checker = Checker()
        self._server = server
        self._turns = turns
        self._address = f"10.0.1.{number}"
        self.connect()

    def connect(self) -> None:
        """Open a connection."""
        self.checker.opened()
        self.view = View()
        self.unanswered = 0
        self.browser = Browser(self._server, self._address)
        self.browser.request(self.offer)
        while not self.browser.transport.value():
            self._turns.turn()
        self.browser.opened()
        self.say(type="connect", protocol=1, features=["gap"])

    def say(self, **request: Any) -> None:
        """Send a request in the client's encoding."""
        self.unanswered += 1
        self.browser.protocol.dataReceived(request_frame(self.offer, request))

    def resume(self, names: list[str]) -> None:
        """Subscribe from the positions that the checker knows."""
        known = self.checker.resume()
        self.say(type="subscribe", symbols=names, resume={name: known[name] for name in names if name in known})

    def hear(self) -> None:
        """Give what came to the checker."""
        for opcode, payload in self.browser.frames():
            if opcode in (1, 2):
                message = self.view.read(payload, opcode == 2)
                self.checker.take(message)
                self.unanswered -= message["type"] in ANSWERS


def a_server(turns: Turns, **limits: Any) -> Server:
    """A relay with three symbols, and a client that keeps all of them subscribed with a history."""
    server = Server(Clock(), turns, ping_interval_s=0.0, max_connections_per_address=1000, **limits)
    server.symbols = [Symbol(symbol_id=n, name=name) for n, name in enumerate(NAMES, 1)]
    server.go_live()
    loyal = Browser(server, "10.0.0.2")
    loyal.open(JSON)
    loyal.say({"type": "subscribe", "symbols": NAMES})
    return server


def settle(turns: Turns) -> list[float]:
    """Turns until nothing is to be done; how long each took."""
    lengths = []
    for _ in range(10_000):
        turns.now_s += 0.01
        if not turns.is_busy:
            return lengths
        lengths.append(turns.turn())
    raise AssertionError("the work never ends")
