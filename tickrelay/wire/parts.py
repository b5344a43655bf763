"""What stands inside the server's messages, as typed values. JSON has the names in camelCase.

Fields that are UNSET are not sent. ``basic`` of a class names the fields that basic clients are sent; a class with none
is never sent to them.
"""

from typing import ClassVar, Literal

from msgspec import UNSET, Struct, UnsetType

from tickrelay.model.errors import ErrorCode
from tickrelay.model.status import FeedState

MarketStateName = Literal["open", "closed", "disabled"]


class Part(Struct, rename="camel", kw_only=True):
    """A part of a message."""

    basic: ClassVar[tuple[str, ...]] = ()


class Feed(Part, kw_only=True):
    """The state of the connection to cTrader."""

    state: FeedState
    last_spot_age_ms: int | UnsetType = UNSET
    """Since the newest tick of any symbol, or since ticks began to be due; absent while none is due."""


class Detail(Part, kw_only=True):
    """More on an error, for diagnosis."""

    upstream: str | UnsetType = UNSET
    """cTrader's own error code."""


class Limits(Part, kw_only=True):
    """What one client may do."""

    max_symbols: int
    max_rate: int | float
    messages_per_second: int | float
    max_message_bytes: int


class Result(Part, kw_only=True):
    """What became of one symbol of a subscribe or an unsubscribe; ``symbol`` as the client spelled it."""

    basic = ("symbol", "status", "message")

    symbol: str
    status: Literal["subscribed", "unsubscribed", "error"]
    name: str | UnsetType = UNSET
    """The symbol's own name, where it is not the client's spelling."""
    symbol_id: int | UnsetType = UNSET
    digits: int | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    """The position of the live stream: the next live tick has ``seq + 1 + conflated``. Replayed ticks come before."""
    recovered: bool | UnsetType = UNSET
    """Only where a resume was asked: everything missed is replayed (true), or a snapshot is sent (false)."""
    replayed: int | UnsetType = UNSET
    """With ``recovered``: how many ticks are replayed."""
    from_seq: int | UnsetType = UNSET
    """Of the first replayed tick: until it comes the client stands at ``fromSeq - 1``. Absent: nothing is replayed."""
    max_rate: int | float | UnsetType = UNSET
    pending: bool | UnsetType = UNSET
    """Not confirmed upstream yet."""
    code: ErrorCode | UnsetType = UNSET
    message: str | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class ReconnectMs(Part, kw_only=True):
    """Wait a random time between these before connecting again."""

    min: int
    max: int


class SymbolInfo(Part, kw_only=True):
    """What is known of a symbol."""

    symbol: str
    symbol_id: int
    digits: int
    pip_position: int
    description: str
    category: str
    asset_class: str
    base: str
    quote: str
    enabled: bool
    market_state: MarketStateName


class Queue(Part, kw_only=True):
    """What this client has not been sent yet."""

    lane: Literal["fast", "held"]
    """``fast``: every tick goes out at once; ``held``: the newest tick of each symbol waits."""
    paused: bool
    behind: bool
    waiting_symbols: int
    buffered_bytes: int
    max_rate: int | float | UnsetType = UNSET
