"""JSON payloads -> requests: leniently for basic clients, strictly by the schema for v1.

Both raise BadRequest and nothing else, whatever the bytes.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tickrelay.model.errors import ErrorCode
from tickrelay.wire import requests
from tickrelay.wire.requests import BadRequest, Connect, Id, Request, Subscribe, Unsubscribe

# All that msgspec (0.22) raises for malformed input; RecursionError is deep nesting, UnicodeDecodeError invalid UTF-8
# inside of a string.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Loose(msgspec.Struct):
    """A request before validation: any member may have any type."""

    type: Any = None
    symbols: Any = None
    protocol: Any = None
    token: Any = None
    id: Any = None


_loose = msgspec.json.Decoder(_Loose)
_strict = {requests.type_of(cls): msgspec.json.Decoder(cls) for cls in requests.ALL}

_EXPECTED = {
    "type": "string",
    "id": "string of at most 36 characters, or integer",
    "symbols": "array of strings",
    "symbol": "string",
    "protocol": "integer",
    "token": "string",
    "features": "array of strings",
    "snapshot": "boolean",
    "maxRate": "number, at least 0",
    "resume": "object of {epoch, seq} by symbol",
    "paused": "boolean",
}

_WORDS = (
    ("Expected", "expected"),
    ("`str`", "string"),
    ("`int`", "integer"),
    ("`float`", "number"),
    ("`", ""),
    (".0", ""),
)


def parse_basic(payload: bytes) -> Request:
    """The request in a basic client's text frame; fields that basic does not have are ignored. Raises BadRequest.

    ``connect`` with a ``protocol`` is v1's own, and is read by its rules.
    """
    try:
        loose = _loose.decode(payload)
    except _UNREADABLE:
        raise _invalid() from None
    match loose.type:
        case "connect" if loose.protocol is not None:
            try:
                return parse_v1(payload)
            except BadRequest as bad:
                bad.names_version = True
                raise
        case "connect" if loose.token is not None:
            # The one field of v1 that basic clients use, where a token is required. What is not text becomes the empty
            # token, which is malformed: where none is required, the field is ignored whatever it holds.
            return Connect(token=loose.token if isinstance(loose.token, str) else "")
        case "connect":
            return Connect()
        case "subscribe":
            return Subscribe(symbols=_names(loose.symbols))
        case "unsubscribe":
            return Unsubscribe(symbols=_names(loose.symbols))
        case "ping":
            return requests.Ping()
        case "getSubscriptions":
            return requests.GetSubscriptions()
        case str(name):
            raise BadRequest.unknown_type(name)
    raise _invalid()


def _names(value: object) -> list[str]:
    if (
        isinstance(value, list)
        and len(value) <= requests.MAX_SYMBOLS
        and all(isinstance(name, str) and len(name) <= requests.MAX_NAME_CHARACTERS for name in value)
    ):
        return value
    raise _invalid()


def _invalid() -> BadRequest:
    return BadRequest(ErrorCode.BAD_REQUEST, "Invalid message format")


def parse_v1(payload: bytes) -> Request:
    """The request in a v1 client's text frame. Raises BadRequest, with the request's id where that can be read."""
    try:
        loose = _loose.decode(payload)
    except msgspec.ValidationError as e:
        # No object, or one with a number that is too long to be read.
        raise invalid(e) from None
    except RecursionError:
        raise BadRequest(ErrorCode.BAD_REQUEST, "nested too deeply") from None
    except _UNREADABLE:
        raise BadRequest(ErrorCode.BAD_JSON, "not JSON") from None
    given = mark(loose.id)
    if not isinstance(loose.type, str):
        raise BadRequest(ErrorCode.BAD_REQUEST, "type: expected string", given)
    decoder = _strict.get(loose.type)
    if decoder is None:
        raise BadRequest.unknown_type(loose.type, given)
    try:
        request: Request = decoder.decode(payload)
    except _UNREADABLE as e:
        raise invalid(e, given) from None
    return request


def mark(value: object) -> Id | UnsetType:
    """*value* where it can be a request's id, UNSET where it cannot."""
    try:
        checked: Id = msgspec.convert(value, Id)
    except msgspec.ValidationError:
        return UNSET
    return checked


def invalid(error: Exception, id: Id | UnsetType = UNSET) -> BadRequest:
    """msgspec's *error* in the protocol's words: the field, and what was expected of it."""
    text, _, path = str(error).partition(" - at `$")
    field = path.removeprefix(".").rstrip("`").split(".")[0].split("[")[0]
    if not field:
        what = f"{text.split('`')[1]}: missing" if "missing" in text else "expected an object"
        return BadRequest(ErrorCode.BAD_REQUEST, what, id)
    if "length" in text or "<=" in text or ">=" in text:
        for theirs, ours in _WORDS:
            text = text.replace(theirs, ours)
    else:
        text = f"expected {_EXPECTED[field]}" if field in _EXPECTED else "not valid"
    return BadRequest(ErrorCode.BAD_REQUEST, f"{field}: {text}", id, field)
