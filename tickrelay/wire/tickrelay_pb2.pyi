from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClientMessage(_message.Message):
    __slots__ = ("text_id", "number_id", "connect", "subscribe", "unsubscribe", "ping", "get_subscriptions", "configure", "get_symbols", "explain")
    TEXT_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    GET_SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    CONFIGURE_FIELD_NUMBER: _ClassVar[int]
    GET_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    text_id: str
    number_id: int
    connect: Connect
    subscribe: Subscribe
    unsubscribe: Unsubscribe
    ping: Ping
    get_subscriptions: GetSubscriptions
    configure: Configure
    get_symbols: GetSymbols
    explain: Explain
    def __init__(self, text_id: _Optional[str] = ..., number_id: _Optional[int] = ..., connect: _Optional[_Union[Connect, _Mapping]] = ..., subscribe: _Optional[_Union[Subscribe, _Mapping]] = ..., unsubscribe: _Optional[_Union[Unsubscribe, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., get_subscriptions: _Optional[_Union[GetSubscriptions, _Mapping]] = ..., configure: _Optional[_Union[Configure, _Mapping]] = ..., get_symbols: _Optional[_Union[GetSymbols, _Mapping]] = ..., explain: _Optional[_Union[Explain, _Mapping]] = ...) -> None: ...

class Connect(_message.Message):
    __slots__ = ("protocol", "token", "features")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    token: str
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, protocol: _Optional[int] = ..., token: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("epoch", "seq")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    seq: int
    def __init__(self, epoch: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class Subscribe(_message.Message):
    __slots__ = ("symbols", "snapshot", "max_rate", "resume")
    class ResumeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Position
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Position, _Mapping]] = ...) -> None: ...
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    symbols: _containers.RepeatedScalarFieldContainer[str]
    snapshot: bool
    max_rate: float
    resume: _containers.MessageMap[str, Position]
    def __init__(self, symbols: _Optional[_Iterable[str]] = ..., snapshot: bool = ..., max_rate: _Optional[float] = ..., resume: _Optional[_Mapping[str, Position]] = ...) -> None: ...

class Unsubscribe(_message.Message):
    __slots__ = ("symbols",)
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    symbols: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, symbols: _Optional[_Iterable[str]] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSubscriptions(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Configure(_message.Message):
    __slots__ = ("max_rate", "paused")
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    max_rate: float
    paused: bool
    def __init__(self, max_rate: _Optional[float] = ..., paused: bool = ...) -> None: ...

class GetSymbols(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Explain(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("text_id", "number_id", "tick", "status", "subscribe_response", "unsubscribe_response", "subscriptions", "pong", "error", "configure_response", "gap", "heartbeat", "notice", "market_state", "symbols", "explanation")
    TEXT_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_ID_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBE_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CONFIGURE_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    MARKET_STATE_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    text_id: str
    number_id: int
    tick: Tick
    status: Status
    subscribe_response: SubscribeResponse
    unsubscribe_response: UnsubscribeResponse
    subscriptions: Subscriptions
    pong: Pong
    error: Error
    configure_response: ConfigureResponse
    gap: Gap
    heartbeat: Heartbeat
    notice: Notice
    market_state: MarketState
    symbols: Symbols
    explanation: Explanation
    def __init__(self, text_id: _Optional[str] = ..., number_id: _Optional[int] = ..., tick: _Optional[_Union[Tick, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., subscribe_response: _Optional[_Union[SubscribeResponse, _Mapping]] = ..., unsubscribe_response: _Optional[_Union[UnsubscribeResponse, _Mapping]] = ..., subscriptions: _Optional[_Union[Subscriptions, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., configure_response: _Optional[_Union[ConfigureResponse, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ..., market_state: _Optional[_Union[MarketState, _Mapping]] = ..., symbols: _Optional[_Union[Symbols, _Mapping]] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class Tick(_message.Message):
    __slots__ = ("symbol_id", "bid", "spread", "timestamp", "seq", "source_delta", "conflated", "age_ms", "symbol", "digits")
    SYMBOL_ID_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    SOURCE_DELTA_FIELD_NUMBER: _ClassVar[int]
    CONFLATED_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    symbol_id: int
    bid: int
    spread: int
    timestamp: int
    seq: int
    source_delta: int
    conflated: int
    age_ms: int
    symbol: str
    digits: int
    def __init__(self, symbol_id: _Optional[int] = ..., bid: _Optional[int] = ..., spread: _Optional[int] = ..., timestamp: _Optional[int] = ..., seq: _Optional[int] = ..., source_delta: _Optional[int] = ..., conflated: _Optional[int] = ..., age_ms: _Optional[int] = ..., symbol: _Optional[str] = ..., digits: _Optional[int] = ...) -> None: ...

class Feed(_message.Message):
    __slots__ = ("state", "last_spot_age_ms")
    STATE_FIELD_NUMBER: _ClassVar[int]
    LAST_SPOT_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    state: str
    last_spot_age_ms: int
    def __init__(self, state: _Optional[str] = ..., last_spot_age_ms: _Optional[int] = ...) -> None: ...

class Detail(_message.Message):
    __slots__ = ("upstream",)
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    upstream: str
    def __init__(self, upstream: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_symbols", "max_rate", "messages_per_second", "max_message_bytes")
    MAX_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_symbols: int
    max_rate: float
    messages_per_second: float
    max_message_bytes: int
    def __init__(self, max_symbols: _Optional[int] = ..., max_rate: _Optional[float] = ..., messages_per_second: _Optional[float] = ..., max_message_bytes: _Optional[int] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("status", "available_symbols", "message", "protocol", "epoch", "feed", "detail", "features", "limits", "heartbeat_ms", "unknown_features")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FEATURES_FIELD_NUMBER: _ClassVar[int]
    status: str
    available_symbols: _containers.RepeatedScalarFieldContainer[str]
    message: str
    protocol: int
    epoch: str
    feed: Feed
    detail: Detail
    features: _containers.RepeatedScalarFieldContainer[str]
    limits: Limits
    heartbeat_ms: int
    unknown_features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[str] = ..., available_symbols: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ..., protocol: _Optional[int] = ..., epoch: _Optional[str] = ..., feed: _Optional[_Union[Feed, _Mapping]] = ..., detail: _Optional[_Union[Detail, _Mapping]] = ..., features: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., heartbeat_ms: _Optional[int] = ..., unknown_features: _Optional[_Iterable[str]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("symbol", "status", "name", "symbol_id", "digits", "epoch", "seq", "recovered", "replayed", "max_rate", "pending", "code", "message", "detail", "from_seq")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_ID_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    status: str
    name: str
    symbol_id: int
    digits: int
    epoch: str
    seq: int
    recovered: bool
    replayed: int
    max_rate: float
    pending: bool
    code: str
    message: str
    detail: Detail
    from_seq: int
    def __init__(self, symbol: _Optional[str] = ..., status: _Optional[str] = ..., name: _Optional[str] = ..., symbol_id: _Optional[int] = ..., digits: _Optional[int] = ..., epoch: _Optional[str] = ..., seq: _Optional[int] = ..., recovered: bool = ..., replayed: _Optional[int] = ..., max_rate: _Optional[float] = ..., pending: bool = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., detail: _Optional[_Union[Detail, _Mapping]] = ..., from_seq: _Optional[int] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class UnsubscribeResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class Subscriptions(_message.Message):
    __slots__ = ("symbols", "timestamp")
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    symbols: _containers.RepeatedScalarFieldContainer[str]
    timestamp: int
    def __init__(self, symbols: _Optional[_Iterable[str]] = ..., timestamp: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("timestamp",)
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    timestamp: int
    def __init__(self, timestamp: _Optional[int] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "fatal")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FATAL_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    fatal: bool
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., fatal: bool = ...) -> None: ...

class ConfigureResponse(_message.Message):
    __slots__ = ("max_rate", "paused")
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    max_rate: float
    paused: bool
    def __init__(self, max_rate: _Optional[float] = ..., paused: bool = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("symbol", "epoch", "after_seq", "from_ms", "to_ms", "cause")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    epoch: str
    after_seq: int
    from_ms: int
    to_ms: int
    cause: str
    def __init__(self, symbol: _Optional[str] = ..., epoch: _Optional[str] = ..., after_seq: _Optional[int] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ..., cause: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("timestamp", "feed")
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    timestamp: int
    feed: str
    def __init__(self, timestamp: _Optional[int] = ..., feed: _Optional[str] = ...) -> None: ...

class ReconnectMs(_message.Message):
    __slots__ = ("min", "max")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    min: int
    max: int
    def __init__(self, min: _Optional[int] = ..., max: _Optional[int] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("code", "message", "reconnect_ms", "symbol", "detail")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RECONNECT_MS_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    reconnect_ms: ReconnectMs
    symbol: str
    detail: Detail
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., reconnect_ms: _Optional[_Union[ReconnectMs, _Mapping]] = ..., symbol: _Optional[str] = ..., detail: _Optional[_Union[Detail, _Mapping]] = ...) -> None: ...

class MarketState(_message.Message):
    __slots__ = ("symbol", "state", "timestamp")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    state: str
    timestamp: int
    def __init__(self, symbol: _Optional[str] = ..., state: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class SymbolInfo(_message.Message):
    __slots__ = ("symbol", "symbol_id", "digits", "pip_position", "description", "category", "asset_class", "base", "quote", "enabled", "market_state")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_ID_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    PIP_POSITION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ASSET_CLASS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    MARKET_STATE_FIELD_NUMBER: _ClassVar[int]
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
    market_state: str
    def __init__(self, symbol: _Optional[str] = ..., symbol_id: _Optional[int] = ..., digits: _Optional[int] = ..., pip_position: _Optional[int] = ..., description: _Optional[str] = ..., category: _Optional[str] = ..., asset_class: _Optional[str] = ..., base: _Optional[str] = ..., quote: _Optional[str] = ..., enabled: bool = ..., market_state: _Optional[str] = ...) -> None: ...

class Symbols(_message.Message):
    __slots__ = ("symbols", "timestamp")
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    symbols: _containers.RepeatedCompositeFieldContainer[SymbolInfo]
    timestamp: int
    def __init__(self, symbols: _Optional[_Iterable[_Union[SymbolInfo, _Mapping]]] = ..., timestamp: _Optional[int] = ...) -> None: ...

class Queue(_message.Message):
    __slots__ = ("lane", "paused", "behind", "waiting_symbols", "buffered_bytes", "max_rate")
    LANE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    WAITING_SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    BUFFERED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_FIELD_NUMBER: _ClassVar[int]
    lane: str
    paused: bool
    behind: bool
    waiting_symbols: int
    buffered_bytes: int
    max_rate: float
    def __init__(self, lane: _Optional[str] = ..., paused: bool = ..., behind: bool = ..., waiting_symbols: _Optional[int] = ..., buffered_bytes: _Optional[int] = ..., max_rate: _Optional[float] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("symbol", "name", "subscribed", "interest", "wanted", "confirmed_at_ms", "refused", "last_spot_age_ms", "seq", "market_state", "feed", "queue", "reason", "timestamp")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    INTEREST_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    LAST_SPOT_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    MARKET_STATE_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    name: str
    subscribed: bool
    interest: int
    wanted: bool
    confirmed_at_ms: int
    refused: str
    last_spot_age_ms: int
    seq: int
    market_state: str
    feed: Feed
    queue: Queue
    reason: str
    timestamp: int
    def __init__(self, symbol: _Optional[str] = ..., name: _Optional[str] = ..., subscribed: bool = ..., interest: _Optional[int] = ..., wanted: bool = ..., confirmed_at_ms: _Optional[int] = ..., refused: _Optional[str] = ..., last_spot_age_ms: _Optional[int] = ..., seq: _Optional[int] = ..., market_state: _Optional[str] = ..., feed: _Optional[_Union[Feed, _Mapping]] = ..., queue: _Optional[_Union[Queue, _Mapping]] = ..., reason: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...
