"""The requests of clients, as typed values. JSON has the names in camelCase; ``type`` distinguishes them.

Basic has Connect, Subscribe, Unsubscribe, Ping and GetSubscriptions, and of their fields ``symbols`` only;
the rest is v1. The types and bounds here are the schema: v1 requests are validated by them, and the documentation
is generated from them.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from tickrelay.model.errors import ErrorCode

MAX_ID_CHARACTERS = 36
MAX_SYMBOLS = 1000
"""Names in one request; a client that wants more sends several."""
MAX_NAME_CHARACTERS = 100
MAX_FEATURES = 32
MAX_TOKEN_CHARACTERS = 4096
MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""

Id = (
    Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)] | Annotated[int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
)
"""A client's identifier of a request; its answer has the same."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
Names = Annotated[list[Name], Meta(max_length=MAX_SYMBOLS)]
Rate = Annotated[float, Meta(ge=0, le=1_000_000)]
"""Ticks per second and symbol; 0: as many as there are."""


class _Base(Struct, tag_field="type", rename="camel", kw_only=True, frozen=True):
    id: Id | UnsetType = UNSET


class Connect(_Base, tag="connect", kw_only=True, frozen=True):
    """Ask for the status; in v1 also choose the protocol and the features, and show a token."""

    protocol: int | UnsetType = UNSET
    token: Annotated[str, Meta(max_length=MAX_TOKEN_CHARACTERS)] | UnsetType = UNSET
    features: Annotated[list[Annotated[str, Meta(max_length=36)]], Meta(max_length=MAX_FEATURES)] = []


class Position(Struct, frozen=True):
    """How far a client got in one symbol: the run that counted, and the last ``seq`` seen of it."""

    epoch: Annotated[str, Meta(max_length=36)]
    seq: Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


class Subscribe(_Base, tag="subscribe", kw_only=True, frozen=True):
    """Ask for the ticks of symbols; in v1 a name may hold ``*``."""

    symbols: Names
    snapshot: bool = False
    """Send the newest tick at once, with its age."""
    max_rate: Rate | UnsetType = UNSET
    """At most so many ticks a second of each of these symbols."""
    resume: Annotated[dict[Name, Position], Meta(max_length=MAX_SYMBOLS)] = {}
    """By symbol, the position to go on from."""


class Unsubscribe(_Base, tag="unsubscribe", kw_only=True, frozen=True):
    """End the subscriptions of symbols."""

    symbols: Names


class Ping(_Base, tag="ping", kw_only=True, frozen=True):
    """Ask for a pong."""


class GetSubscriptions(_Base, tag="getSubscriptions", kw_only=True, frozen=True):
    """Ask which symbols are subscribed."""


class Configure(_Base, tag="configure", kw_only=True, frozen=True):
    """Change how ticks are sent on this connection; what is left out stays."""

    max_rate: Rate | UnsetType = UNSET
    """At most so many ticks a second of every symbol."""
    paused: bool | UnsetType = UNSET
    """Send no ticks; when it ends, the newest of each symbol is sent."""


class GetSymbols(_Base, tag="getSymbols", kw_only=True, frozen=True):
    """Ask for what is known of every symbol."""


class Explain(_Base, tag="explain", kw_only=True, frozen=True):
    """Ask why a symbol is quiet."""

    symbol: Name


Request = Connect | Subscribe | Unsubscribe | Ping | GetSubscriptions | Configure | GetSymbols | Explain

BASIC: tuple[type[Request], ...] = (Connect, Subscribe, Unsubscribe, Ping, GetSubscriptions)
ALL: tuple[type[Request], ...] = (*BASIC, Configure, GetSymbols, Explain)


def type_of(request: type[Request]) -> str:
    """The ``type`` of a kind of request."""
    return str(request.__struct_config__.tag)


MAX_ECHO_CHARACTERS = 64


class BadRequest(Exception):
    """What a client sent is no request of its protocol.

    ``message`` is for people, and safe to send back: it has no more of the client's bytes than a bounded echo.
    ``id``: the request's own mark, where it could be read. ``field``: the one at fault; empty: none, or several.
    """

    names_version = False
    """It is a ``connect`` with a ``protocol``: the client reads v1's errors, even if it has spoken basic so far."""

    def __init__(self, code: ErrorCode, message: str, id: Id | UnsetType = UNSET, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.field = field

    @classmethod
    def unknown_type(cls, name: str, id: Id | UnsetType = UNSET) -> "BadRequest":
        """For a request whose type the protocol does not have."""
        shown = name if len(name) <= MAX_ECHO_CHARACTERS else name[:MAX_ECHO_CHARACTERS] + "…"
        return cls(ErrorCode.UNKNOWN_TYPE, f"Unknown message type: {shown}", id)
