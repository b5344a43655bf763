"""What the server sends besides ticks, as typed values. JSON has the names in camelCase.

Fields that are UNSET are not sent. ``basic`` of a class names the fields that basic clients are sent; a class with none
is never sent to them.
"""

from typing import ClassVar, Literal

from msgspec import UNSET, Struct, UnsetType

from tickrelay.model.errors import ErrorCode
from tickrelay.model.status import FeedState, Status
from tickrelay.wire.requests import BadRequest, Id


class Part(Struct, rename="camel", kw_only=True):
    """A part of a message."""

    basic: ClassVar[tuple[str, ...]] = ()


class Message(Struct, tag_field="type", rename="camel", kw_only=True):
    """A message of its own."""

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


class StatusMessage(Message, tag="status", kw_only=True):
    """The relay's status: the answer to ``connect``, and every change after it."""

    basic = ("status", "available_symbols", "message")

    status: Status
    available_symbols: list[str]
    message: str | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    protocol: int | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    feed: Feed | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET
    features: list[str] | UnsetType = UNSET
    unknown_features: list[str] | UnsetType = UNSET
    """Those of ``connect`` that the relay does not know; absent: none."""
    limits: Limits | UnsetType = UNSET
    heartbeat_ms: int | UnsetType = UNSET


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


class SubscribeResponse(Message, tag="subscribeResponse", kw_only=True):
    """The answer to ``subscribe``."""

    basic = ("results",)

    id: Id | UnsetType = UNSET
    results: list[Result]


class UnsubscribeResponse(Message, tag="unsubscribeResponse", kw_only=True):
    """The answer to ``unsubscribe``."""

    basic = ("results",)

    id: Id | UnsetType = UNSET
    results: list[Result]


class Subscriptions(Message, tag="subscriptions", kw_only=True):
    """The answer to ``getSubscriptions``."""

    basic = ("symbols", "timestamp")

    id: Id | UnsetType = UNSET
    symbols: list[str]
    timestamp: int


class Pong(Message, tag="pong", kw_only=True):
    """The answer to ``ping``."""

    basic = ("timestamp",)

    id: Id | UnsetType = UNSET
    timestamp: int


class Error(Message, tag="error", kw_only=True):
    """The answer to a request that is malformed or refused."""

    basic = ("message",)

    id: Id | UnsetType = UNSET
    code: ErrorCode
    message: str
    fatal: bool = False
    """The server closes the connection after this."""


class ConfigureResponse(Message, tag="configureResponse", kw_only=True):
    """The answer to ``configure``: what holds now."""

    id: Id | UnsetType = UNSET
    max_rate: int | float
    """Ticks per second and symbol; 0: as many as there are."""
    paused: bool


class Gap(Message, tag="gap", kw_only=True):
    """Ticks of a symbol may have been missed upstream, between two moments; ``seq`` does not count them."""

    symbol: str
    epoch: str
    after_seq: int
    from_ms: int
    to_ms: int
    cause: str


class Heartbeat(Message, tag="heartbeat", kw_only=True):
    """Sent periodically: the relay is alive; the state of the connection to cTrader."""

    timestamp: int
    feed: FeedState


class ReconnectMs(Part, kw_only=True):
    """Wait a random time between these before connecting again."""

    min: int
    max: int


class Notice(Message, tag="notice", kw_only=True):
    """An event that concerns the client: the service stops, or cTrader refused a symbol."""

    code: Literal["SERVER_DRAINING", "SYMBOL_REFUSED"]
    message: str
    symbol: str | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET
    reconnect_ms: ReconnectMs | UnsetType = UNSET


MarketStateName = Literal["open", "closed", "disabled"]


class MarketState(Message, tag="marketState", kw_only=True):
    """A subscribed symbol's market opened or closed."""

    symbol: str
    state: MarketStateName
    timestamp: int


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


class Symbols(Message, tag="symbols", kw_only=True):
    """The answer to ``getSymbols``."""

    id: Id | UnsetType = UNSET
    symbols: list[SymbolInfo]
    timestamp: int


class Queue(Part, kw_only=True):
    """What this client has not been sent yet."""

    lane: Literal["fast", "held"]
    """``fast``: every tick goes out at once; ``held``: the newest tick of each symbol waits."""
    paused: bool
    behind: bool
    waiting_symbols: int
    buffered_bytes: int
    max_rate: int | float | UnsetType = UNSET


class Explanation(Message, tag="explanation", kw_only=True):
    """The answer to ``explain``."""

    id: Id | UnsetType = UNSET
    symbol: str
    name: str | UnsetType = UNSET
    subscribed: bool
    """By this client."""
    interest: int
    """Clients that subscribed it."""
    wanted: bool
    """Asked of the feed."""
    confirmed_at_ms: int | UnsetType = UNSET
    """When the feed confirmed it; absent: not in this session."""
    refused: str | UnsetType = UNSET
    """The feed's error code, where it refused the symbol."""
    last_spot_age_ms: int | UnsetType = UNSET
    """Since the symbol's newest tick; absent: there was none."""
    seq: int
    market_state: MarketStateName | UnsetType = UNSET
    feed: Feed
    queue: Queue
    reason: str
    """The likeliest reason for the silence, in a sentence."""
    timestamp: int


class TickMessage(Message, tag="tick", kw_only=True):
    """A quote of one symbol. The encodings write it straight from a `Tick`; this is its shape, for those who read."""

    basic = ("symbol", "symbol_id", "bid", "ask", "spread", "timestamp")

    symbol: str
    symbol_id: int
    bid: int | float
    ask: int | float
    spread: int | float
    timestamp: int
    """Unix milliseconds, on receipt by the relay."""
    source_ts: int | UnsetType = UNSET
    """Unix milliseconds of cTrader, where it sent them."""
    epoch: str
    """The run of the relay that counts ``seq``."""
    seq: int
    """Counts the symbol's ticks in this run, from 1."""
    conflated: int | UnsetType = UNSET
    """How many ticks before this one were left out for this client; absent: none."""
    snapshot: bool | UnsetType = UNSET
    """True: the newest tick there was when the client subscribed, not a new one."""
    age_ms: int | UnsetType = UNSET
    """With ``snapshot``: milliseconds since it was received."""


AnyMessage = (
    StatusMessage
    | SubscribeResponse
    | UnsubscribeResponse
    | Subscriptions
    | Pong
    | Error
    | ConfigureResponse
    | Gap
    | Heartbeat
    | Notice
    | MarketState
    | Symbols
    | Explanation
)


def refusal(bad: BadRequest) -> Error:
    """The answer to a request that cannot be read."""
    return Error(id=bad.id, code=bad.code, message=bad.message)
