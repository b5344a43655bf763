"""Frames of the cTrader Open API: bytes <-> envelope <-> message.

On the wire a frame is a 4-byte big-endian length and a serialized ``ProtoMessage``; the length does not count
itself. The envelope's ``payloadType`` routes; servers leave the inner one off. Unknown types and fields are
tolerated everywhere (the real server sends fields that no public schema has).
"""

from google.protobuf.message import DecodeError, Message

from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver

from tickrelay.openapi import registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent

MAX_FRAME_BYTES = 15_000_000
"""The longest frame taken; the server's own limit is not documented, other clients use this figure."""

HEARTBEAT = registry.lookup(ProtoHeartbeatEvent).number
SPOT = registry.lookup(ProtoOASpotEvent).number


class FrameError(ValueError):
    """The bytes of a frame are no envelope, or its payload is not the message its type announces."""


def encode(message: Message, client_msg_id: str = "") -> bytes:
    """Wrap *message* in its envelope; returns the frame without the length prefix (`sendString` adds it)."""
    envelope = ProtoMessage(payloadType=registry.lookup(message).number, payload=message.SerializePartialToString())
    if client_msg_id:
        envelope.clientMsgId = client_msg_id
    return envelope.SerializeToString()


def open_envelope(frame: bytes) -> ProtoMessage:
    """Parse the envelope of *frame*. Raises FrameError."""
    try:
        envelope = ProtoMessage.FromString(frame)
    except DecodeError as e:
        raise FrameError(f"frame of {len(frame)} bytes is no ProtoMessage") from e
    if not envelope.payloadType:
        raise FrameError(f"frame of {len(frame)} bytes has no payloadType")
    return envelope


def open_payload(envelope: ProtoMessage) -> Message | None:
    """Parse the message inside *envelope*; None where the schema does not know its type. Raises FrameError."""
    row = registry.find(envelope.payloadType)
    if row is None:
        return None
    try:
        return row.message.FromString(envelope.payload)
    except DecodeError as e:
        raise FrameError(f"payload of {len(envelope.payload)} bytes is no {row.name}") from e


class FrameReceiver(Int32StringReceiver):
    """The 4-byte framing, for either end of the connection. Subclasses define ``stringReceived(frame)``."""

    MAX_LENGTH = MAX_FRAME_BYTES
    _log = Logger()

    def lengthLimitExceeded(self, length: int) -> None:
        """A frame announces more than MAX_LENGTH bytes: not one of them is buffered, the connection ends."""
        self._log.warn(
            "frame of {length} bytes announced, {limit} are allowed: dropping the connection",
            length=length,
            limit=self.MAX_LENGTH,
        )
        self.transport.abortConnection()  # type: ignore[union-attr]
