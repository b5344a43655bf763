"""What stands in ``results`` for one symbol, whatever the protocol version (basic leaves the codes out)."""

from msgspec import UNSET

from tickrelay.model.errors import ErrorCode
from tickrelay.model.feed import SymbolFeed
from tickrelay.relay.channel import Channel
from tickrelay.wire.messages import Detail, Result

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
    """The client cannot have the symbol that it calls *name*."""
    return Result(symbol=name, status="error", code=code, message=message or _MESSAGES[code])


def subscribed(name: str, channel: Channel, epoch: str, seq: int, max_rate: float, feed: SymbolFeed) -> Result:
    """The client that calls *channel* by *name* is subscribed and stands at *seq*."""
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
        # The relay goes on asking, so the client is subscribed: but it should know what it waits for.
        result.code = _UPSTREAM.get(feed.refused, ErrorCode.UPSTREAM_UNAVAILABLE)
        result.message = _MESSAGES[result.code]
        result.detail = Detail(upstream=feed.refused)
    return result


def number(value: float) -> int | float:
    """*value* as people write it: 5, not 5.0."""
    return int(value) if value == int(value) else value
