"""What the server sends besides ticks, as typed values. JSON has the names in camelCase.

Fields that are UNSET are not sent. ``basic`` of a class names the fields that basic clients are sent; a class with none
is never sent to them.
"""

from typing import ClassVar, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tickrelay.model.errors import ErrorCode
from tickrelay.model.status import FeedState, Status
from tickrelay.wire.parts import Detail, Feed, Limits, MarketStateName, Queue, ReconnectMs, Result, SymbolInfo
from tickrelay.wire.requests import BadRequest, Id


class Message(Struct, tag_field="type", rename="camel", kw_only=True):
    """A message of its own."""

    basic: ClassVar[tuple[str, ...]] = ()


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


class Notice(Message, tag="notice", kw_only=True):
    """An event that concerns the client: the service stops, or cTrader refused a symbol."""

    code: Literal["SERVER_DRAINING", "SYMBOL_REFUSED"]
    message: str
    symbol: str | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET
    reconnect_ms: ReconnectMs | UnsetType = UNSET


class MarketState(Message, tag="marketState", kw_only=True):
    """A subscribed symbol's market opened or closed."""

    symbol: str
    state: MarketStateName
    timestamp: int


class Symbols(Message, tag="symbols", kw_only=True):
    """The answer to ``getSymbols``."""

    id: Id | UnsetType = UNSET
    symbols: list[SymbolInfo]
    timestamp: int


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


ListMessage = SubscribeResponse | UnsubscribeResponse | Symbols
"""Messages with a list that may be long."""

LIST_FIELDS: dict[type[ListMessage], str] = {
    SubscribeResponse: "results",
    UnsubscribeResponse: "results",
    Symbols: "symbols",
}
"""Name of the list's field; it is the same in JSON and in Protobuf."""


def list_of(message: ListMessage) -> list[Result] | list[SymbolInfo]:
    """The items of the message's list."""
    return message.symbols if isinstance(message, Symbols) else message.results


def without_items(message: ListMessage) -> ListMessage:
    """*message* with an empty list."""
    if isinstance(message, Symbols):
        return replace(message, symbols=[])
    return replace(message, results=[])
