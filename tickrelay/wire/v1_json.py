"""Protocol v1 in JSON text frames: basic's fields, and what v1 adds."""

from collections.abc import Sequence

from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.wire import frames, json_requests
from tickrelay.wire.basic import encode, json_frame, json_items, tick_template
from tickrelay.wire.messages import AnyMessage, ListMessage, without_items
from tickrelay.wire.parts import Part
from tickrelay.wire.prices import BY_DIGITS, Prices
from tickrelay.wire.requests import BadRequest, Request


class V1Json:
    """The encoding behind the subprotocol ``tickrelay.v1.json``, or ``"protocol":1``."""

    name = "v1.json"
    subprotocol = "tickrelay.v1.json"
    version = 1
    binary = False

    def __init__(self, epoch: str) -> None:
        # By name, checked by identity: the symbol, templates of its tick with and without a source time, its prices.
        self._templates: dict[str, tuple[Symbol, bytes, bytes, Prices]] = {}
        self._tail = b',"epoch":%b,"seq":%%d' % encode(epoch).replace(b"%", b"%%")

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick that follows the client's last one."""
        return frames.text(self._payload(tick))

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame of a tick into which *conflated* earlier ones were merged."""
        if not conflated:
            return frames.text(self._payload(tick))
        return frames.text(self._payload(tick)[:-1] + b',"conflated":%d}' % conflated)

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The frame of a tick sent again on subscribing, received *age_ms* ago."""
        return frames.text(self._payload(tick)[:-1] + b',"snapshot":true,"ageMs":%d}' % age_ms)

    def _payload(self, tick: Tick) -> bytes:
        symbol = tick.symbol
        kept = self._templates.get(symbol.name)
        if kept is None or kept[0] is not symbol:
            kept = self._templates[symbol.name] = self._make_templates(symbol)
        _, sourced, plain, prices = kept
        bid, bid_text = prices[tick.bid]
        ask, ask_text = prices[tick.ask]
        spread = prices.decimals[ask - bid]
        if tick.source_ms:
            return sourced % (bid_text, ask_text, spread, tick.timestamp_ms, tick.source_ms, tick.seq)
        return plain % (bid_text, ask_text, spread, tick.timestamp_ms, tick.seq)

    def _make_templates(self, symbol: Symbol) -> tuple[Symbol, bytes, bytes, Prices]:
        head = tick_template(symbol)
        plain = head + self._tail + b"}"
        sourced = head + b',"sourceTs":%d' + self._tail + b"}"
        return symbol, sourced, plain, BY_DIGITS[symbol.digits]

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message."""
        return frames.text(encode(message))

    def items(self, kind: type[ListMessage], parts: Sequence[Part]) -> bytes:
        """Items of a list."""
        return json_items(parts)

    def with_items(self, message: ListMessage, items: Sequence[bytes]) -> list[bytes]:
        """The pieces of the frame of a message with these items."""
        return json_frame(type(message), encode(without_items(message)), items)

    def parse(self, payload: bytes, binary: bool) -> Request:
        """The request in a client's frame. Raises BadRequest."""
        if binary:
            raise BadRequest(ErrorCode.BAD_REQUEST, "expected a text frame")
        return json_requests.parse_v1(payload)
