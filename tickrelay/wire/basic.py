"""The basic protocol: JSON text frames with exactly the fields that its clients have always been sent."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET

from tickrelay.model.ticks import Symbol, Tick
from tickrelay.wire import frames, json_requests
from tickrelay.wire.messages import LIST_FIELDS, AnyMessage, ListMessage, Message, without_items
from tickrelay.wire.parts import Part
from tickrelay.wire.prices import BY_DIGITS, Prices
from tickrelay.wire.requests import Request

encode = msgspec.json.Encoder().encode


def tick_template(symbol: Symbol) -> bytes:
    """A tick of *symbol* up to the timestamp, with bid, ask, spread (as text) and timestamp to fill in by ``%``."""
    name = encode(symbol.name).replace(b"%", b"%%")
    head = b'{"type":"tick","symbol":%b,"symbolId":%d' % (name, symbol.symbol_id)
    return head + b',"bid":%b,"ask":%b,"spread":%b,"timestamp":%d'


def json_items(parts: Sequence[object]) -> bytes:
    """The items of a JSON array, without its brackets; *parts* must not be empty."""
    return encode(parts)[1:-1]


def json_frame(kind: type[ListMessage], envelope: bytes, items: Sequence[bytes]) -> list[bytes]:
    """The pieces of the frame of a message in JSON, *envelope*, with *items* put into its list, which is empty."""
    # Nowhere else can this stand: a quote inside of a string has a backslash before it.
    before, key, after = envelope.partition(b'"%b":[]' % LIST_FIELDS[kind].encode())
    between = [piece for item in items for piece in (b",", item)][1:]
    return frames.pieces([before, key[:-1], *between, b"]", after], False)


class Basic:
    """The encoding of clients that ask for no other."""

    name = "basic"
    subprotocol = None
    version = 0
    binary = False

    def __init__(self) -> None:
        # By name, checked by identity: each session with cTrader makes new Symbol objects.
        self._templates: dict[str, tuple[Symbol, bytes, Prices]] = {}

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick."""
        symbol = tick.symbol
        kept = self._templates.get(symbol.name)
        if kept is None or kept[0] is not symbol:
            kept = (symbol, tick_template(symbol) + b"}", BY_DIGITS[symbol.digits])
            self._templates[symbol.name] = kept
        _, template, prices = kept
        bid, bid_text = prices[tick.bid]
        ask, ask_text = prices[tick.ask]
        return frames.text(template % (bid_text, ask_text, prices.decimals[ask - bid], tick.timestamp_ms))

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The same frame: basic has no field for what was conflated."""
        return self.tick(tick)

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The same frame: basic has no field for an age."""
        return self.tick(tick)

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message, with basic's fields only. Raises ValueError for one that basic does not have."""
        return frames.text(encode(_pruned(message)))

    def items(self, kind: type[ListMessage], parts: Sequence[Part]) -> bytes:
        """Items of a list, with basic's fields only."""
        return json_items([_pruned(part) for part in parts])

    def with_items(self, message: ListMessage, items: Sequence[bytes]) -> list[bytes]:
        """The pieces of the frame of a message with these items."""
        return json_frame(type(message), encode(_pruned(without_items(message))), items)

    def parse(self, payload: bytes, binary: bool) -> Request:
        """The request in a client's frame. Raises BadRequest."""
        return json_requests.parse_basic(b"" if binary else payload)


@cache
def _names(kind: type[Message | Part]) -> tuple[tuple[str, str], ...]:
    """The fields of a class that basic clients are sent: the name of each here, and in JSON."""
    names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    return tuple((field, names[field]) for field in kind.basic)


def _pruned(message: Message | Part) -> dict[str, Any]:
    kind = type(message)
    if not kind.basic:
        raise ValueError(f"{kind.__name__} is not for basic clients")
    out: dict[str, Any] = {"type": message.__struct_config__.tag} if isinstance(message, Message) else {}
    for field, name in _names(kind):
        value = getattr(message, field)
        if value is UNSET:
            continue
        if isinstance(value, list) and value and isinstance(value[0], Part):
            value = [_pruned(part) for part in value]
        out[name] = value
    return out
