"""Frames of the cTrader Open API: bytes <-> envelope <-> message.

On the wire a frame is a 4-byte big-endian length and a serialized ``ProtoMessage``; the length does not count
itself. The envelope's ``payloadType`` routes; servers leave the inner one off. Unknown types and fields are
tolerated everywhere (the real server sends fields that no public schema has).
"""

import re
import struct
from collections.abc import Callable

from google.protobuf.message import DecodeError, Message

from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver

from tickrelay.openapi import registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent

MAX_FRAME_BYTES = 15_000_000
"""The longest frame taken; the server's own limit is not documented, other clients use this figure."""

MAX_PIECES = 1024
"""Pieces of an incomplete frame that are kept as they came."""

HEARTBEAT = registry.lookup(ProtoHeartbeatEvent).number
SPOT = registry.lookup(ProtoOASpotEvent).number


_length = struct.Struct("!I").unpack_from


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


def text(value: str | bytes) -> str:
    """A string field as text. The schema's strings are not checked for UTF-8 when parsed: a field that is not comes as
    bytes, whatever its type says, and what is wrong in it is replaced here.
    """
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


MAX_TEXT_CHARACTERS = 300
MAX_SECRET_CHARACTERS = 8192
MAX_READ_CHARACTERS = 4 * MAX_SECRET_CHARACTERS
"""So much of a text is looked at: a search of 15 MB for each of the secrets takes seconds."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""C0, C1, line separators, bidirectional controls, surrogates: what moves a terminal's cursor, or shows a text in
another order than it has."""


def clean(value: str | bytes, limit: int = MAX_TEXT_CHARACTERS, redact: Callable[[str], str] = str) -> str:
    """A server's text for people: clients and log get it. Without secrets, at most *limit* characters, on one line;
    each control character is a space.

    *redact* takes secrets out, before anything is cut: half a token is a secret too.
    """
    whole = text(value)
    said = redact(whole[:MAX_READ_CHARACTERS])
    if len(whole) > MAX_READ_CHARACTERS:
        said = said[:-MAX_SECRET_CHARACTERS]  # its end may be half a token
    return _CONTROL.sub(" ", said[:limit]).strip()


class FrameReceiver(Int32StringReceiver):
    """The 4-byte framing, for either end of the connection. Subclasses define ``stringReceived(frame)``.

    Does what its base does, at half the cost a frame, and a frame that comes in many pieces is joined once: the base
    copies all that came so far with every piece.
    """

    MAX_LENGTH = MAX_FRAME_BYTES
    _log = Logger()
    _pieces: list[bytes] | tuple[()] = ()
    """Of a frame that is not complete (or of frames that wait for the end of a pause)."""
    _joined = 0
    """How many of the pieces are joined ones."""
    _have = 0
    _need = 0

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: any number of frames, and a part of one."""
        if self._pieces:
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._need:
                # TLS brings a piece a record, of a single byte perhaps: as an object it takes 20 times as much.
                if len(self._pieces) - self._joined > MAX_PIECES:
                    self._pieces[self._joined :] = [b"".join(self._pieces[self._joined :])]
                    self._joined += 1
                return
            data = b"".join(self._pieces)
            self._pieces = ()
        offset, size = 0, len(data)
        need = 4
        while size - offset >= 4 and not self.paused:
            (length,) = _length(data, offset)
            if length > self.MAX_LENGTH:
                self.lengthLimitExceeded(length)
                return
            start = offset + 4
            offset = start + length
            if offset > size:
                offset = start - 4
                need = length + 4
                break
            self.stringReceived(data[start:offset])
        if offset < size and not self._dropped:
            rest = data[offset:]
            self._pieces, self._joined, self._have, self._need = [rest], 0, len(rest), need

    _dropped = False

    def drop_input(self) -> None:
        """Read nothing more, forget what is unread: the connection is being ended."""
        self._dropped = self.paused = True
        self._pieces = ()

    def lengthLimitExceeded(self, length: int) -> None:
        """A frame announces more than MAX_LENGTH bytes: not one of them is buffered, the connection ends."""
        self._log.warn(
            "frame of {length} bytes announced, {limit} are allowed: dropping the connection",
            length=length,
            limit=self.MAX_LENGTH,
        )
        self.transport.abortConnection()  # type: ignore[union-attr]
