"""What requests are answered with: the answer as a value, and the items of ``results``, one per symbol.

Both protocol versions share them; basic's encoding leaves the codes out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import UNSET

from tickrelay.model.errors import ErrorCode
from tickrelay.model.feed import SymbolFeed
from tickrelay.relay.channel import Channel
from tickrelay.wire.messages import AnyMessage
from tickrelay.wire.parts import Detail, Result


class Answer(NamedTuple):
    """The answer to one request; the session writes it."""

    message: AnyMessage
    pieces: Sequence[bytes] = ()
    """The message's frame, where it is made of pieces that are shared with other clients."""
    frames: bytes = b""
    """Complete frames that follow the message: replayed ticks and snapshots."""
    then: Callable[[], None] | None = None
    """What must take effect only after the message is written, since it may write frames of its own."""


_MESSAGES = {
    ErrorCode.UNKNOWN_SYMBOL: "Unknown symbol",
    ErrorCode.SYMBOL_DISABLED: "Not enabled on this account",
    ErrorCode.NOT_READY: "Not connected to cTrader",
    ErrorCode.SUBSCRIPTION_LIMIT: "Too many symbols",
    ErrorCode.UPSTREAM_RATE_LIMITED: "cTrader limits the rate of requests",
    ErrorCode.UPSTREAM_UNAVAILABLE: "Refused by cTrader",
}

_UPSTREAM = {
    "SYMBOL_NOT_FOUND": ErrorCode.UNKNOWN_SYMBOL,
    "UNKNOWN_SYMBOL": ErrorCode.UNKNOWN_SYMBOL,
    "REQUEST_FREQUENCY_EXCEEDED": ErrorCode.UPSTREAM_RATE_LIMITED,
    "BLOCKED_PAYLOAD_TYPE": ErrorCode.UPSTREAM_RATE_LIMITED,
}


def refused(name: str, code: ErrorCode, message: str = "") -> Result:
    """The result of a symbol, spelled *name* by the client, that is not subscribed; *message* replaces the code's."""
    return Result(symbol=name, status="error", code=code, message=message or _MESSAGES[code])


def subscribed(name: str, channel: Channel, epoch: str, seq: int, max_rate: float, feed: SymbolFeed) -> Result:
    """The result of a subscribed symbol, spelled *name* by the client; *max_rate*: ticks/s, 0: every tick.

    *(epoch, seq)* is the position after which the live stream goes on.
    """
    symbol = channel.symbol
    result = Result(
        symbol=name,
        status="subscribed",
        name=UNSET if name == symbol.name else symbol.name,
        symbol_id=symbol.symbol_id,
        digits=symbol.digits,
        epoch=epoch,
        seq=seq,
    )
    if max_rate:
        result.max_rate = number(max_rate)
    if not feed.confirmed_at_ms:
        result.pending = True
    if feed.refused:
        # The upstream retries a refused subscription, so the client is subscribed; the code says why no tick comes.
        result.code = _UPSTREAM.get(feed.refused, ErrorCode.UPSTREAM_UNAVAILABLE)
        result.message = _MESSAGES[result.code]
        result.detail = Detail(upstream=feed.refused)
    return result


def number(value: float) -> int | float:
    """*value* without a fraction that is zero: JSON shows 5, not 5.0."""
    return int(value) if value == int(value) else value
