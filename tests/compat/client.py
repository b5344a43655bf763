"""A client library of the protocol as tickrelay 26.11.0 documented it; frozen, and without anything of the relay.

It does what ``docs/protocol.rst`` of that version tells a client to do: it ignores fields and messages that it does
not know, keeps ``(epoch, seq)`` of each symbol, and notes each tick whose ``seq`` breaks the rule.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from google.protobuf.json_format import ParseDict
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.compat.schema import ClientMessage, ServerMessage

Message = dict[str, Any]

PROTOBUF = "tickrelay.v1.protobuf"

KNOWN = frozenset(
    {"status", "tick", "subscribeResponse", "unsubscribeResponse", "subscriptions", "pong", "error",
     "configureResponse", "gap", "heartbeat", "marketState", "notice", "symbols", "explanation"}
)  # fmt: skip
"""Types of messages in 26.11.0; others are ignored."""


class Refused(Exception):
    """The opening request was answered with an HTTP status and no WebSocket. Its one argument is the status."""


class Closed(Exception):
    """The relay closed: code, reason, and seconds since the client last sent something or connected."""


class Client:
    """One connection and, across `reopen`, what the client knows."""

    def __init__(
        self,
        url: str,
        protocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
    ) -> None:
        self._url = url
        self._options: dict[str, Any] = {
            "subprotocols": list(protocols) or None,
            "additional_headers": dict(headers or {}),
            "origin": origin,
        }
        self.positions: dict[str, tuple[str, int]] = {}
        """Symbol -> (epoch, seq) of the last tick, or of the result that subscribed it."""
        self.faults: list[str] = []
        """Ticks that break the rule of ``seq``."""
        self.open()

    def open(self) -> None:
        """Connect. Raises Refused."""
        self._names: dict[int, tuple[str, int]] = {}
        self._epoch = ""
        self._connection = ExitStack()
        try:
            self._socket = self._connection.enter_context(
                connect(self._url, compression=None, open_timeout=10, close_timeout=2, max_queue=None, **self._options)
            )
        except InvalidStatus as e:
            raise Refused(e.response.status_code) from None
        self.subprotocol = self._socket.subprotocol
        self._since_s = time.monotonic()

    def leave(self) -> None:
        """Close the connection, if it is not closed already."""
        self._connection.close()

    def resume(self) -> Message:
        """What ``resume`` takes to go on from where the client got to."""
        return {symbol: {"epoch": epoch, "seq": seq} for symbol, (epoch, seq) in self.positions.items()}

    # Out.

    def send(self, request: Message) -> None:
        """Send a request in the encoding of the connection."""
        if self.subprotocol != PROTOBUF:
            self.send_raw(json.dumps(request))
            return
        fields = {name: value for name, value in request.items() if name not in ("type", "id")}
        envelope: Message = {request["type"]: fields}
        if "id" in request:
            envelope["textId" if isinstance(request["id"], str) else "numberId"] = request["id"]
        self.send_raw(ParseDict(envelope, ClientMessage()).SerializeToString())

    def send_raw(self, data: str | bytes, text: bool | None = None) -> None:
        """Send a frame as it is; *text* sends bytes in a text frame. A connection that is closed already is let be."""
        self._since_s = time.monotonic()
        try:
            self._socket.send(data, text=text)
        except ConnectionClosed:
            pass

    # In.

    def receive(self, timeout_s: float) -> Message:
        """The next message that 26.11.0 had. Raises Closed, and TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                frame = self._socket.recv(timeout=max(0.0, deadline - time.monotonic()))
            except ConnectionClosed as e:
                code, reason = (e.rcvd.code, e.rcvd.reason) if e.rcvd else (1006, "")
                raise Closed(code, reason, time.monotonic() - self._since_s) from None
            message = json.loads(frame) if isinstance(frame, str) else self._decode(frame)
            if message.get("type") in KNOWN:
                self._account(message)
                return message

    def _decode(self, frame: bytes) -> Message:
        envelope = ServerMessage.FromString(frame)
        kind = envelope.WhichOneof("message")
        if kind is None:  # a message that this schema does not have
            return {}
        descriptor = ServerMessage.DESCRIPTOR.fields_by_name[kind]
        message = {"type": descriptor.json_name, **_plain(getattr(envelope, kind))}
        if (mark := envelope.WhichOneof("id")) is not None:
            message["id"] = getattr(envelope, mark)
        if kind == "tick":
            return self._priced(message)
        if kind in ("status", "subscribe_response"):
            for part in (message, *message.get("results", ())):
                self._epoch = part.get("epoch", self._epoch)
                if "symbolId" in part:
                    self._names[part["symbolId"]] = (part.get("name", part["symbol"]), part["digits"])
        return message

    def _priced(self, tick: Message) -> Message:
        """A tick of the binary encoding as JSON has it."""
        if tick["symbol"]:
            self._names[tick["symbolId"]] = (tick["symbol"], tick["digits"])
        tick["symbol"], digits = self._names[tick["symbolId"]]
        tick.pop("digits", None)
        scale = 10**digits
        bid, spread = tick["bid"], tick["spread"]
        tick["bid"], tick["ask"], tick["spread"] = bid / scale, (bid + spread) / scale, spread / scale
        tick["epoch"] = self._epoch
        if "sourceDelta" in tick:
            tick["sourceTs"] = tick["timestamp"] - tick.pop("sourceDelta")
        if not tick["conflated"]:
            del tick["conflated"]
        if "ageMs" in tick:
            tick["snapshot"] = True
        return tick

    def _account(self, message: Message) -> None:
        """Keep the positions, and note what breaks the rule."""
        if message["type"] == "subscribeResponse":
            for result in message["results"]:
                if "seq" in result and not result.get("recovered"):
                    self.positions[result.get("name", result["symbol"])] = (result["epoch"], result["seq"])
        elif message["type"] == "tick" and "seq" in message:
            symbol, seq = message["symbol"], message["seq"]
            epoch, known = self.positions.get(symbol, ("", -1))
            expected = known if message.get("snapshot") else known + 1 + message.get("conflated", 0)
            if (message["epoch"], seq) != (epoch, expected):
                self.faults.append(f"{symbol}: {epoch} {known} is followed by {message}")
            self.positions[symbol] = (message["epoch"], seq)


def _plain(message: Any) -> Message:
    """A Protobuf message as JSON has it: optional fields only where they are set."""
    out: Message = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            out[field.json_name] = [_plain(item) if field.message_type else item for item in value]
        elif not field.has_presence or message.HasField(field.name):
            out[field.json_name] = _plain(value) if field.message_type else value
    return out
