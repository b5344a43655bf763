"""Requests and messages <-> the Protobuf of ``proto/tickrelay.proto``: field by field, since the names are the same.

The schema of a request is its struct (`tickrelay.wire.requests`), in both encodings: what arrives in Protobuf is held
against the same types and bounds as what arrives in JSON.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Protobuf
from msgspec import UNSET, Struct, UnsetType

from tickrelay.model.errors import ErrorCode
from tickrelay.wire import json_requests, requests
from tickrelay.wire.messages import LIST_FIELDS, AnyMessage, ListMessage, without_items
from tickrelay.wire.parts import Part
from tickrelay.wire.requests import BadRequest, Id, Request
from tickrelay.wire.tickrelay_pb2 import ClientMessage, ServerMessage


def _kinds(envelope: type[Protobuf], oneof: str) -> dict[str, str]:
    """``type`` in JSON -> name of the field in the envelope."""
    return {field.json_name: field.name for field in envelope.DESCRIPTOR.oneofs_by_name[oneof].fields}


_said = _kinds(ServerMessage, "message")
_asked = {name: kind for kind, name in _kinds(ClientMessage, "request").items()}
_types: dict[str, type[Request]] = {requests.type_of(cls): cls for cls in requests.ALL}


def encode_message(message: AnyMessage) -> bytes:
    """The payload of *message*: a ``ServerMessage``."""
    envelope = ServerMessage()
    mark = getattr(message, "id", UNSET)
    if mark is not UNSET:
        set_mark(envelope, mark)
    fill(message, getattr(envelope, _said[str(message.__struct_config__.tag)]))
    return envelope.SerializeToString()


# A message's bytes are those of its fields in the order of their numbers, a list's those of its items, one after
# another: so items can be encoded apart. The list is the first field of its message, the id the last of the envelope.


def encode_items(kind: type[ListMessage], parts: Sequence[Part]) -> bytes:
    """Consecutive items of the list of a message of this *kind*."""
    message = getattr(ServerMessage(), _said[str(kind.__struct_config__.tag)])
    _fill_list(list(parts), getattr(message, LIST_FIELDS[kind]))
    return bytes(message.SerializeToString())


def around_items(message: ListMessage, items: Sequence[bytes]) -> list[bytes]:
    """The payload of *message* in parts, with *items* (of `encode_items`) as its list."""
    name = _said[str(type(message).__struct_config__.tag)]
    inner = getattr(ServerMessage(), name)
    fill(without_items(message), inner)
    rest = inner.SerializeToString()
    envelope = ServerMessage()
    set_mark(envelope, message.id)
    number = ServerMessage.DESCRIPTOR.fields_by_name[name].number
    size = sum(map(len, items)) + len(rest)
    return [_varint(number << 3 | 2), _varint(size), *items, rest, envelope.SerializeToString()]


def _varint(value: int) -> bytes:
    """A base-128 number, the lowest seven bits first (protobuf.dev, Encoding)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def parse_request(payload: bytes) -> Request:
    """The request in a binary frame. Raises BadRequest, with the request's id where that can be read."""
    try:
        envelope = ClientMessage.FromString(payload)
    except DecodeError:
        raise BadRequest(ErrorCode.BAD_REQUEST, "not a ClientMessage") from None
    mark = json_requests.mark(get_mark(envelope))
    name = envelope.WhichOneof("request")
    if name is None:
        raise BadRequest(ErrorCode.UNKNOWN_TYPE, "Unknown message type", mark)
    kind = _asked[name]
    fields = plain(getattr(envelope, name)) | {"type": kind}
    if (given := get_mark(envelope)) is not None:
        fields["id"] = given
    try:
        return msgspec.convert(fields, _types[kind])
    except msgspec.ValidationError as e:
        raise json_requests.invalid(e, mark) from None


def set_mark(envelope: ClientMessage | ServerMessage, mark: Id | UnsetType) -> None:
    """Set the request's id in an envelope; UNSET: do nothing."""
    if isinstance(mark, str):
        envelope.text_id = mark
    elif isinstance(mark, int):
        envelope.number_id = mark


def get_mark(envelope: ClientMessage | ServerMessage) -> Id | None:
    """The request's id in an envelope; None: it has none."""
    which = envelope.WhichOneof("id")
    return None if which is None else getattr(envelope, which)


def fill(part: Struct, into: Protobuf) -> None:
    """Copy the fields of *part* that are set, but for the id, which is a field of the envelope."""
    into.SetInParent()
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if value is UNSET or name == "id":
            continue
        if isinstance(value, Struct):
            fill(value, getattr(into, name))
        elif isinstance(value, list):
            _fill_list(value, getattr(into, name))
        elif isinstance(value, dict):
            for key, item in value.items():
                fill(item, getattr(into, name)[key])
        else:
            setattr(into, name, value)


def _fill_list(values: list[Any], into: Any) -> None:
    if values and isinstance(values[0], Struct):
        for value in values:
            fill(value, into.add())
    else:
        into.extend(values)


def plain(message: Protobuf) -> dict[str, Any]:
    """A message as JSON would have it, without the optional fields that are absent."""
    out: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if field.message_type is None:
            out[field.json_name] = list(value) if isinstance(field.default_value, list) else value
        elif field.message_type.GetOptions().map_entry:
            out[field.json_name] = {key: plain(value[key]) for key in value}
        elif isinstance(field.default_value, list):
            out[field.json_name] = [plain(item) for item in value]
        else:
            out[field.json_name] = plain(value)
    return out
