"""The JSON encoding of the protocol (port 5036): ``{"clientMsgId": "…", "payloadType": 2102, "payload": {…}}``.

Numbers stay numbers, also those of 64 bits; enums are numbers on the way out, names or numbers on the way in. An empty
payload is left out, as the live server does.
"""

import json
from base64 import b64decode, b64encode
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoMessage

MAX_DEPTH = 8
_FLOATS = {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}


class Malformed(ValueError):
    """A text that is no message; the sentence is the one that the live server sends."""


def frame_of(text: str) -> bytes:
    """The envelope, serialized, that a JSON message stands for. Raises Malformed."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as e:
        raise Malformed(f"Malformed JSON message at {e.lineno}:{e.colno}") from None
    except (RecursionError, ValueError):
        raise Malformed("Malformed JSON message at 1:1") from None
    if not isinstance(found, dict) or not isinstance(found.get("payloadType"), int):
        raise Malformed("Malformed JSON message: no payloadType")
    number = found["payloadType"]
    if not 0 < number < 2**31:
        raise Malformed("Malformed JSON message: payloadType is out of range")
    envelope = ProtoMessage(payloadType=number)
    if found.get("clientMsgId") is not None:
        envelope.clientMsgId = str(found["clientMsgId"])
    row = registry.find(number)
    payload = found.get("payload") or {}
    if row is not None:
        if not isinstance(payload, dict):
            raise Malformed("Malformed JSON message: payload is no object")
        message = row.message()
        _fill(message, payload, MAX_DEPTH)
        envelope.payload = message.SerializePartialToString()
    return envelope.SerializeToString()


def _fill(message: Message, values: dict[str, Any], depth: int) -> None:
    if not depth:
        raise Malformed("Malformed JSON message: nested too deep")
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        field = fields.get(name)
        if field is None or value is None or name == "payloadType":
            continue  # unknown fields are tolerated everywhere
        try:
            if field.message_type is not None:
                for item in value if field.is_repeated else [value]:
                    target = getattr(message, name)
                    _fill(target.add() if field.is_repeated else target, item, depth - 1)
            elif field.is_repeated:
                getattr(message, name).extend(_scalar(field, item) for item in value)
            else:
                setattr(message, name, _scalar(field, value))
        except Malformed:
            raise
        except (TypeError, ValueError, AttributeError, KeyError):
            raise Malformed(f"Malformed JSON message: {name} has a wrong value") from None


def _scalar(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values_by_name[value].number if isinstance(value, str) else value
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b64decode(value) if field.type == FieldDescriptor.TYPE_BYTES else str(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return bool(value)
    return float(value) if field.cpp_type in _FLOATS else int(value)


def text_of(frame: bytes) -> str:
    """The JSON message for a frame of the server's own."""
    envelope = frames.open_envelope(frame)
    found: dict[str, Any] = {}
    if envelope.clientMsgId:
        found["clientMsgId"] = envelope.clientMsgId
    found["payloadType"] = envelope.payloadType
    try:
        message = frames.open_payload(envelope)
    except frames.FrameError:
        message = None  # a fault's broken payload
    if message is not None and (payload := _values(message)):
        found["payload"] = payload
    return json.dumps(found, separators=(",", ":"))


def _values(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is not None:
            found[field.name] = [_values(item) for item in value] if field.is_repeated else _values(value)
        elif field.type == FieldDescriptor.TYPE_BYTES:
            found[field.name] = b64encode(value).decode()
        else:
            found[field.name] = list(value) if field.is_repeated else value
    return found
