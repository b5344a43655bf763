"""Opens requests and encodes answers as the live server does: required fields are checked, unknown fields are sent."""

from google.protobuf.message import Message

from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.messages_pb2 import ProtoOAApplicationAuthReq, ProtoOARefreshTokenReq, ProtoOAVersionReq
from tickrelay.simulator.refusal import RequestRefused

OPEN_TO_ALL = frozenset(
    registry.lookup(request).number
    for request in (ProtoOAApplicationAuthReq, ProtoOAVersionReq, ProtoOARefreshTokenReq)
)
"""Payload types of the requests that are served before application auth."""

UNKNOWN_FIELD = b"\xc0\x3e\x01"
"""Field 1000, varint 1. The live server was seen to send fields that no public schema has."""


def open_request(envelope: ProtoMessage, application: bool) -> Message:
    """The request in an envelope of a known type; *application*: application auth has succeeded.

    Raises RequestRefused for a broken payload, a missing required field, or one that application auth must precede.
    """
    try:
        request = frames.open_payload(envelope)
    except frames.FrameError:
        raise RequestRefused("INVALID_REQUEST", "Malformed message", close=True) from None
    assert request is not None
    # protobuf's Python runtime (upb) does not check required fields when it parses.
    if missing := request.FindInitializationErrors():  # type: ignore[attr-defined]
        raise RequestRefused("INVALID_REQUEST", f"Message missing required fields: {', '.join(missing)}")
    if not application and envelope.payloadType not in OPEN_TO_ALL:
        raise RequestRefused("CH_CLIENT_NOT_AUTHENTICATED", "Application is not authenticated")
    return request


def encode_with_unknown_field(message: Message, client_msg_id: str) -> bytes:
    """The serialized envelope of *message* with a field that no public schema has."""
    payload = message.SerializePartialToString() + UNKNOWN_FIELD
    number = registry.lookup(message).number
    return ProtoMessage(payloadType=number, payload=payload, clientMsgId=client_msg_id).SerializeToString()
