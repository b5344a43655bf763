"""Protocol v1 in binary frames: Protobuf, schema in ``proto/tickrelay.proto``."""

from collections.abc import Sequence

from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.wire import frames, protobuf
from tickrelay.wire.messages import AnyMessage, ListMessage
from tickrelay.wire.parts import Part
from tickrelay.wire.prices import BY_DIGITS
from tickrelay.wire.requests import BadRequest, Request
from tickrelay.wire.tickrelay_pb2 import ServerMessage

_MOST = 2**63 - 1
"""The largest value of a sint64."""


class V1Protobuf:
    """The encoding behind the subprotocol ``tickrelay.v1.protobuf``.

    A tick names its symbol by id and counts prices in the symbol's last digit; clients know both from the answer to
    ``subscribe``. Ids and digits belong to a session with cTrader and may be others in the next one, so the first
    tick with a new `Symbol`, and every frame that is made for one client, has the name and the digits in it.
    """

    name = "v1.protobuf"
    subprotocol = "tickrelay.v1.protobuf"
    version = 1
    binary = True

    def __init__(self) -> None:
        self._announced: dict[str, Symbol] = {}
        # Reused for each tick: making a message takes longer than filling and serializing it.
        self._plain = ServerMessage()
        self._sourced = ServerMessage()

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick that follows the client's last one."""
        symbol = tick.symbol
        if self._announced.get(symbol.name) is not symbol:
            # Even if the id is the same as before: in between it may have been another symbol's.
            self._announced[symbol.name] = symbol
            return frames.binary(_named(tick).SerializeToString())
        prices = BY_DIGITS[symbol.digits]
        bid = prices[tick.bid][0]
        try:
            if tick.source_ms:
                envelope = self._sourced
                out = envelope.tick
                out.source_delta = tick.timestamp_ms - tick.source_ms
            else:
                envelope = self._plain
                out = envelope.tick
            out.symbol_id = symbol.symbol_id
            out.bid = bid
            out.spread = prices[tick.ask][0] - bid
            out.timestamp = tick.timestamp_ms
            out.seq = tick.seq
        except ValueError:
            return frames.binary(_named(tick).SerializeToString())
        return frames.binary(envelope.SerializeToString())

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame of a tick into which *conflated* earlier ones were merged."""
        envelope = _named(tick)
        envelope.tick.conflated = conflated
        return frames.binary(envelope.SerializeToString())

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The frame of a tick sent again on subscribing, received *age_ms* ago."""
        envelope = _named(tick)
        envelope.tick.age_ms = age_ms
        return frames.binary(envelope.SerializeToString())

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message."""
        return frames.binary(protobuf.encode_message(message))

    def items(self, kind: type[ListMessage], parts: Sequence[Part]) -> bytes:
        """Items of a list."""
        return protobuf.encode_items(kind, parts)

    def with_items(self, message: ListMessage, items: Sequence[bytes]) -> list[bytes]:
        """The pieces of the frame of a message with these items."""
        return frames.pieces(protobuf.around_items(message, items), True)

    def parse(self, payload: bytes, binary: bool) -> Request:
        """The request in a client's frame. Raises BadRequest."""
        if not binary:
            raise BadRequest(ErrorCode.BAD_REQUEST, "expected a binary frame")
        return protobuf.parse_request(payload)


def _named(tick: Tick) -> ServerMessage:
    symbol = tick.symbol
    prices = BY_DIGITS[symbol.digits]
    bid = prices[tick.bid][0]
    envelope = ServerMessage()
    out = envelope.tick
    out.symbol_id = symbol.symbol_id
    out.bid = bid
    out.spread = prices[tick.ask][0] - bid
    out.timestamp = tick.timestamp_ms
    out.seq = tick.seq
    delta = tick.timestamp_ms - tick.source_ms
    if tick.source_ms and delta <= _MOST:  # else it is a time of aeons ago; an exception would stop the flush for all
        out.source_delta = delta
    out.symbol = symbol.name
    out.digits = symbol.digits
    return envelope
