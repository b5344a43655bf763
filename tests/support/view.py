"""Reads v1 payloads as a client does: the same messages, whichever encoding they were sent in. Used by tests."""

from typing import Any

import msgspec

from tickrelay.model.ticks import decimal
from tickrelay.wire import protobuf
from tickrelay.wire.tickrelay_pb2 import ServerMessage, Tick


class View:
    """One connection's reader. Binary ticks need what the messages before them said, so it sees every payload."""

    def __init__(self) -> None:
        self._epoch = ""
        self._symbols: dict[int, tuple[str, int]] = {}

    def read(self, payload: bytes, binary: bool) -> dict[str, Any]:
        """The message in a frame's payload, as its JSON has it. Raises ValueError for what is none."""
        if not binary:
            message: dict[str, Any] = msgspec.json.decode(payload)
            return message
        envelope = ServerMessage.FromString(payload)
        kind = envelope.WhichOneof("message")
        if kind is None:
            raise ValueError("a message of an unknown type")
        if kind == "tick":
            return self._tick(envelope.tick)
        field = envelope.DESCRIPTOR.fields_by_name[kind]
        message = {"type": field.json_name} | protobuf.plain(getattr(envelope, kind))
        mark = protobuf.get_mark(envelope)
        if mark is not None:
            message["id"] = mark
        self._learn(message)
        return message

    def _learn(self, message: dict[str, Any]) -> None:
        if message["type"] == "status":
            self._epoch = message.get("epoch", self._epoch)
            for name in ("features", "unknownFeatures"):
                if not message[name]:
                    del message[name]  # Protobuf does not tell an empty list from none
        for result in message.get("results", ()):
            self._epoch = result.get("epoch", self._epoch)
            if "symbolId" in result:
                self._symbols[result["symbolId"]] = (result.get("name", result["symbol"]), result["digits"])

    def _tick(self, tick: Tick) -> dict[str, Any]:
        if tick.symbol:
            self._symbols[tick.symbol_id] = (tick.symbol, tick.digits)
        name, digits = self._symbols[tick.symbol_id]
        message = {
            "type": "tick",
            "symbol": name,
            "symbolId": tick.symbol_id,
            "bid": float(decimal(tick.bid, digits)),
            "ask": float(decimal(tick.bid + tick.spread, digits)),
            "spread": float(decimal(tick.spread, digits)),
            "timestamp": tick.timestamp,
        }
        if tick.HasField("source_delta"):
            message["sourceTs"] = tick.timestamp - tick.source_delta
        message |= {"epoch": self._epoch, "seq": tick.seq}
        if tick.conflated:
            message["conflated"] = tick.conflated
        if tick.HasField("age_ms"):
            message |= {"snapshot": True, "ageMs": tick.age_ms}
        return message
