"""Plays the client's side of a recorded conversation, and says what the relay answered.

A step is ``{"do": what, "with": argument, "until": type, "answers": [...]}``:

``connect``
    Open a connection, with ``protocols``, ``headers`` and ``origin``. Answer: ``opened`` with the subprotocol that was
    chosen, or ``refused`` with the HTTP status.
``reopen``
    Close, and connect again as before; the client keeps its positions. Answer: as of ``connect``.
``send``, ``raw``
    Send a request; ``raw``: a text frame (``text``), a binary one (``hex``), a text frame of any bytes (``textHex``) or
    of so many blanks (``blanks``). ``resume`` in a request is completed by the client's own positions.
``expect``
    Send nothing.
``ticks``
    Read until each symbol has ticked. Answers: the first tick of each, in the order asked.
``crowd``
    So many connections, one after the other, all kept; each sends a ping. Answers: what each got.
``fault``, ``stop``
    Order a fault of the simulator; send SIGTERM to the relay.

``until`` reads to the first message of this type, or to the close. Answers: all that came, without ticks; a close as
its code, the seconds since the client's last frame, and the reason where it is the relay's own.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.compat.client import Client, Closed, Message, Refused

STEP_S = 25.0
"""For one step; the longest wait in a conversation is 15 s for a heartbeat."""

MEASURED = {
    **dict.fromkeys(("timestamp", "sourceTs", "confirmedAtMs", "fromMs", "toMs", "ageMs", "min", "max"), "<ms>"),
    **dict.fromkeys(("bid", "ask", "spread"), "<price>"),
    **dict.fromkeys(("seq", "afterSeq", "replayed", "interest", "waitingSymbols", "bufferedBytes"), "<count>"),
}
"""Numbers that are others each time, and what stands for them."""

WORDS = {"epoch": "<epoch>", "reason": "<text>"}
"""The same of strings. What stands in `message` is compared: basic clients have nothing else to go by."""

OPTIONAL = {"lastSpotAgeMs", "pending", "conflated"}
"""Fields that 26.11.0 sent or left out as the moment had it."""


def normal(value: Any) -> Any:
    """A message without what is another each time."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, dict):
        return {name: _normal_field(name, item) for name, item in value.items() if name not in OPTIONAL}
    return value


def _normal_field(name: str, value: Any) -> Any:
    if name in MEASURED and isinstance(value, (int, float)) and not isinstance(value, bool):
        return MEASURED[name]
    if name in WORDS and isinstance(value, str):
        return WORDS[name]
    if name == "availableSymbols" and "EURUSD" in value:
        return ["EURUSD", "…"]
    if name == "message" and value.startswith("connection to "):  # of a status, for people: it has a port in it
        return "<text>"
    if name == "symbols" and value and isinstance(value[0], dict):
        return normal([info for info in value if info["symbol"] in ("EURUSD", "USDRUB")])
    return normal(value)


class Player:
    """Plays the steps of one conversation with the relay at *url*."""

    def __init__(self, url: str, order: Callable[[str], None], stop: Callable[[], None]) -> None:
        self._url = url
        self._order = order
        self._stop = stop
        self._clients: list[Client] = []

    def play(self, step: dict[str, Any]) -> list[Message]:
        """What the relay answers to a step."""
        match step["do"], step.get("with"):
            case "connect", options:
                return [self._opened(lambda: self._clients.append(Client(self._url, **options)))]
            case "reopen", _:
                client = self._clients[-1]
                client.leave()
                return [self._opened(client.open)]
            case "send", request:
                if isinstance(request.get("resume"), dict):
                    request = {**request, "resume": {**self._clients[-1].resume(), **request["resume"]}}
                self._clients[-1].send(request)
            case "raw", {"text": text}:
                self._clients[-1].send_raw(text)
            case "raw", {"hex": data}:
                self._clients[-1].send_raw(bytes.fromhex(data))
            case "raw", {"textHex": data}:
                self._clients[-1].send_raw(bytes.fromhex(data), text=True)
            case "raw", {"blanks": number}:
                self._clients[-1].send_raw(" " * number)
            case "ticks", symbols:
                return self._ticks(symbols)
            case "crowd", number:
                return [self._one_of_a_crowd() for _ in range(number)]
            case "fault", statement:
                self._order(statement)
            case "stop", _:
                self._stop()
        return self._until(step["until"]) if "until" in step else []

    def end(self) -> list[str]:
        """Leave; returns the ticks that broke the rule."""
        for client in self._clients:
            client.leave()
        return [fault for client in self._clients for fault in client.faults]

    def _opened(self, open_one: Callable[[], None]) -> Message:
        try:
            open_one()
        except Refused as refused:
            return {"refused": refused.args[0]}
        return {"opened": self._clients[-1].subprotocol}

    def _until(self, kind: str) -> list[Message]:
        found: list[Message] = []
        if not self._clients:  # the only connection was refused
            return found
        deadline = time.monotonic() + STEP_S
        try:
            while not (found and found[-1]["type"] == kind):
                message = self._clients[-1].receive(deadline - time.monotonic())
                if message["type"] != "tick":
                    found.append(normal(message))
        except Closed as closed:
            code, reason, after_s = closed.args
            end: Message = {"closed": code, "afterS": round(after_s, 1)}
            # Below 1012 reasons are the WebSocket library's own.
            found.append({**end, "reason": reason} if code >= 1012 else end)
        return found

    def _ticks(self, symbols: list[str]) -> list[Message]:
        first: dict[str, Message] = {}
        deadline = time.monotonic() + STEP_S
        while not set(symbols) <= first.keys():
            message = self._clients[-1].receive(deadline - time.monotonic())
            if message["type"] == "tick":
                first.setdefault(message["symbol"], normal(message))
        return [first[symbol] for symbol in symbols]

    def _one_of_a_crowd(self) -> Message:
        self._clients.append(Client(self._url))
        self._clients[-1].send({"type": "ping"})
        (answer,) = self._until("pong")
        return answer


def play(talk: dict[str, Any], url: str, order: Callable[[str], None], stop: Callable[[], None]) -> list[Any]:
    """Play a conversation: the answers of each step, and at last the ticks that broke the rule."""
    player = Player(url, order, stop)
    try:
        answers: list[Any] = []
        for number, step in enumerate(talk["steps"]):
            try:
                answers.append(player.play(step))
            except Exception as e:
                e.add_note(f"in step {number} of {talk['about']!r}: {json.dumps(step)}")
                raise
        return answers
    finally:
        faults = player.end()
        assert not faults, faults
