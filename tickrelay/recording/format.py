"""The capture format: one JSON object a line, one line a frame.

A segment file begins with a header::

    {"format":"tickrelay-capture","version":1,"started":1763900000.123456}

and goes on with records in the order of receipt::

    {"t":1763900001.500000,"type":"ProtoOASpotEvent","symbolId":1,"bid":108500,"ask":108504,"timestamp":1763900001450,
     "frame":"CNMQEg8Q6QcYASDUzwYo2M8G"}

(one line in the file). ``t`` is the time of receipt in Unix seconds; ``frame`` is the serialized ProtoMessage in
base64, without the length prefix. Spot events carry their fields in plain beside it, for people and their tools; only
``frame`` counts when a recording is played. A frame that may hold or quotes a secret, or that has more of the account
than market data, is withheld: the line has no ``frame``. A line ``{"t":1763900009.0,"type":"gap","lost":120}`` stands
for frames that could not be recorded (a full disk). A line that was cut short by a crash is no record, and ends the
segment.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from google.protobuf.message import DecodeError

from tickrelay.model.quotes import ASK, BID, Quote
from tickrelay.openapi import frames, messages_pb2, registry
from tickrelay.openapi.common_pb2 import ProtoErrorRes, ProtoHeartbeatEvent
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent

FORMAT = "tickrelay-capture"
VERSION = 1
GAP = "gap"
"""The type of the line that stands for missing frames."""
MAX_LINE_BYTES = 32_000_000
"""The longest line read: a frame of the largest size in base64, and its surroundings."""
MAX_SEGMENT_BYTES = 268_435_456
"""The most that is read of a segment, uncompressed: more than twice what the recorder writes into one."""

# An allow list: a type that is added to the schema later is withheld.
KEPT = frozenset(
    registry.lookup(message).number
    for message in (
        ProtoErrorRes,
        ProtoHeartbeatEvent,
        messages_pb2.ProtoOAErrorRes,
        messages_pb2.ProtoOAVersionRes,
        messages_pb2.ProtoOAApplicationAuthRes,
        messages_pb2.ProtoOAAccountAuthRes,
        messages_pb2.ProtoOAAccountDisconnectEvent,
        messages_pb2.ProtoOAAccountsTokenInvalidatedEvent,
        messages_pb2.ProtoOAClientDisconnectEvent,
        messages_pb2.ProtoOAAssetListRes,
        messages_pb2.ProtoOAAssetClassListRes,
        messages_pb2.ProtoOASymbolCategoryListRes,
        messages_pb2.ProtoOASymbolsListRes,
        messages_pb2.ProtoOASymbolByIdRes,
        messages_pb2.ProtoOASymbolChangedEvent,
        messages_pb2.ProtoOASubscribeSpotsRes,
        messages_pb2.ProtoOAUnsubscribeSpotsRes,
        messages_pb2.ProtoOASpotEvent,
        messages_pb2.ProtoOADepthEvent,
        messages_pb2.ProtoOAGetTrendbarsRes,
        messages_pb2.ProtoOAGetTickDataRes,
    )
)
"""Payload types whose frames are recorded; of the others only time and type are."""

CATALOGUE = frozenset(
    registry.lookup(message).number
    for message in (
        messages_pb2.ProtoOAAssetListRes,
        messages_pb2.ProtoOAAssetClassListRes,
        messages_pb2.ProtoOASymbolCategoryListRes,
        messages_pb2.ProtoOASymbolsListRes,
        messages_pb2.ProtoOASymbolByIdRes,
    )
)
"""What is repeated at the head of each segment, so that any of them can be played alone."""


class CaptureError(ValueError):
    """A line is no record, or a file no capture of a version that is known."""


@dataclass(frozen=True, slots=True)
class Record:
    """One frame and when it was received (Unix seconds)."""

    received_s: float
    type_name: str
    frame: bytes | None
    """The serialized ProtoMessage; None: withheld."""


class _Line(msgspec.Struct):
    t: float
    type: str
    frame: str | None = None


class _Header(msgspec.Struct):
    format: str
    version: int
    started: float


_line = msgspec.json.Decoder(_Line)
_header = msgspec.json.Decoder(_Header)


def header_line(started_s: float) -> bytes:
    """The first line of a segment."""
    return b'{"format":"%s","version":%d,"started":%.6f}\n' % (FORMAT.encode(), VERSION, started_s)


def read_header(line: bytes) -> float:
    """When the segment was started (Unix seconds). Raises CaptureError."""
    try:
        header = _header.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise CaptureError(f"no {FORMAT} file: {e}") from None
    if header.format != FORMAT or header.version != VERSION:
        raise CaptureError(f"{header.format} version {header.version} cannot be read, only {FORMAT} version {VERSION}")
    return header.started


def gap_line(lost: int, now_s: float) -> bytes:
    """The line that stands for *lost* frames which could not be recorded before this moment."""
    return b'{"t":%.6f,"type":"%s","lost":%d}\n' % (now_s, GAP.encode(), lost)


def record_line(
    frame: bytes, received_s: float, finds_secret: Callable[[bytes], bool] = lambda _: False
) -> tuple[int, bytes]:
    """Payload type (0: unreadable) and line of a frame as it came from cTrader.

    Never raises: bytes that are no frame are withheld, as is a frame in which *finds_secret* finds one. It is not asked
    of spot events, which have no text.
    """
    try:
        envelope = frames.open_envelope(frame)
    except frames.FrameError:
        return 0, b'{"t":%.6f,"type":"unreadable"}\n' % received_s
    number = envelope.payloadType
    if number == frames.SPOT:
        return number, _spot_line(frame, envelope.payload, received_s)
    row = registry.find(number)
    name = (row.name if row is not None else str(number)).encode()
    if number not in KEPT or finds_secret(frame):
        return number, b'{"t":%.6f,"type":"%s"}\n' % (received_s, name)
    return number, b'{"t":%.6f,"type":"%s","frame":"%s"}\n' % (received_s, name, b64encode(frame))


def _spot_line(frame: bytes, payload: bytes, received_s: float) -> bytes:
    try:
        event = ProtoOASpotEvent.FromString(payload)
    except DecodeError:
        return b'{"t":%.6f,"type":"unreadable"}\n' % received_s
    parts = [b'{"t":%.6f,"type":"ProtoOASpotEvent","symbolId":%d' % (received_s, event.symbolId)]
    if event.bid:
        parts.append(b'"bid":%d' % event.bid)
    if event.ask:
        parts.append(b'"ask":%d' % event.ask)
    if event.timestamp:
        parts.append(b'"timestamp":%d' % event.timestamp)
    parts.append(b'"frame":"%s"}\n' % b64encode(frame))
    return b",".join(parts)


def read_record(line: bytes) -> Record:
    """One line that is not the header. Raises CaptureError."""
    try:
        found = _line.decode(line)
        frame = None if found.frame is None else b64decode(found.frame, validate=True)
    except (msgspec.MsgspecError, ValueError) as e:
        raise CaptureError(f"no record: {e}") from None
    return Record(found.t, found.type, frame)


def quote_of(event: ProtoOASpotEvent, last: Quote | None) -> Quote | None:
    """The quote that a spot event makes after *last*, the symbol's one before; None until both sides are known."""
    bid = event.bid or (last.bid if last is not None else 0)
    ask = event.ask or (last.ask if last is not None else 0)
    if not bid or not ask:
        return None
    changed = (BID if event.bid else 0) | (ASK if event.ask else 0)
    return Quote(event.symbolId, event.timestamp, bid, ask, changed, event.sessionClose)
