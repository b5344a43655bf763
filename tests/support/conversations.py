"""Recorded conversations (``tests/vectors/conversations.json``): replayed, the relay says the same again.

A line is ``> what the client sends``, ``< what the relay sends`` (both to the letter), or ``= what happens``: ``live``,
``lost``, ``failed MESSAGE``, ``spot NAME BID ASK`` (1/100000, 0: unchanged), ``advance SECONDS``, ``others NAME``
(another client subscribes it), ``away`` and ``back``. ``start`` is how the client finds the relay: ``live`` (and, in
v1, speaking it) unless it says otherwise.
"""

from typing import Any

from twisted.internet.task import Clock

from tests.support.browser import LOST, Browser, Server
from tests.support.frames import frame
from tests.support.v1 import JSON
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.model.ticks import Symbol

MORE = [Symbol(symbol_id=4, name="USDJPY", digits=3, pip_position=2, description="US Dollar vs Japanese Yen",
               category="Forex Majors", asset_class="Forex", base="USD", quote="JPY"),
        Symbol(symbol_id=52, name="JP225", digits=0, pip_position=0)]  # fmt: skip


class Stage:
    """The relay and the client of one conversation."""

    def __init__(self, clock: Clock, talk: dict[str, Any]) -> None:
        start = talk.get("start", "live")
        self._server = Server(clock)
        self._server.symbols += MORE
        if start != "idle":
            self._server.go_live()
        self._lines = (JSON,) if talk["protocol"] == "v1" and start == "live" else ()
        self._client: Browser | None = self._server.browser(*self._lines)

    def said(self) -> list[str]:
        """What the relay has said since the last call."""
        if self._client is None:
            return []
        return ["< " + payload.decode() for opcode, payload in self._client.frames() if opcode == 1]

    def do(self, line: str) -> None:
        """Play a line."""
        kind, _, rest = line.partition(" ")
        if kind == ">":
            assert self._client is not None
            self._client.protocol.dataReceived(frame(rest.encode()))
            return
        word, _, argument = rest.partition(" ")
        server = self._server
        match word:
            case "live":
                server.go_live()
            case "lost":
                server.hub.feed_lost("upstream-disconnect", None)
                server.hub.status_changed(LOST)
            case "failed":
                server.hub.status_changed(FeedStatus(Status.ERROR, FeedState.WAITING, argument))
            case "spot":
                name, bid, ask = argument.split()
                server.spot(server.hub.symbols[name].symbol_id, int(bid), int(ask))
            case "advance":
                server.clock.advance(float(argument))
            case "others":
                server.browser(JSON).ask({"type": "subscribe", "symbols": [argument]})
            case "away":
                assert self._client is not None
                self._client.vanish()
                self._client = None
            case "back":
                self._client = server.browser(*self._lines)
            case _:
                raise AssertionError(f"unknown line: {line}")


def replay(clock: Clock, talk: dict[str, Any]) -> list[str]:
    """Play a conversation: its lines, with what the relay says now."""
    stage = Stage(clock, talk)
    found = stage.said()
    for line in talk["lines"]:
        if not line.startswith("< "):
            stage.do(line)
            found += [line, *stage.said()]
    return found
