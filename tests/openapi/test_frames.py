"""Frames: any chunking of the bytes gives the same frames, too long ones are refused before they are buffered."""

import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.testing import StringTransport
from twisted.protocols.basic import Int32StringReceiver

from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent


class Collector(frames.FrameReceiver):
    """Keeps its frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def stringReceived(self, string: bytes) -> None:
        """Kept."""
        self.frames.append(string)


class Stock(Int32StringReceiver):
    """What Twisted does with the same bytes."""

    MAX_LENGTH = frames.MAX_FRAME_BYTES

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def stringReceived(self, string: bytes) -> None:
        """Kept."""
        self.frames.append(string)


def connected(protocol: Any) -> Any:
    """A protocol on a transport."""
    protocol.makeConnection(StringTransport())
    return protocol


def wire(*payloads: bytes) -> bytes:
    """Frames as they travel."""
    return b"".join(struct.pack("!I", len(p)) + p for p in payloads)


@given(st.lists(st.binary(max_size=40), max_size=12), st.lists(st.integers(0, 600), max_size=30))
def test_any_chunking_gives_the_same_frames(payloads: list[bytes], cuts: list[int]) -> None:
    """Whatever the network makes of the stream; and it is what Twisted's own receiver makes of it."""
    data = wire(*payloads)
    ours, stock = connected(Collector()), connected(Stock())
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(edges):
        ours.dataReceived(data[start:end])
        stock.dataReceived(data[start:end])
    assert ours.frames == stock.frames == payloads


def test_byte_by_byte() -> None:
    """One-byte slices."""
    collector = connected(Collector())
    for byte in wire(b"", b"one", b"", b"two" * 100):
        collector.dataReceived(bytes([byte]))
    assert collector.frames == [b"", b"one", b"", b"two" * 100]


@given(st.integers(1, 5), st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=10))
def test_a_pause_keeps_what_came(after: int, payloads: list[bytes]) -> None:
    """Frames that come during a pause are delivered when it ends, in order."""

    class Pausing(Collector):
        def stringReceived(self, string: bytes) -> None:
            super().stringReceived(string)
            if len(self.frames) == after:
                self.pauseProducing()

    one = connected(Pausing())
    data = wire(*payloads)
    one.dataReceived(data[: len(data) // 2])
    one.dataReceived(data[len(data) // 2 :])
    assert one.frames == payloads[:after]
    one.resumeProducing()
    assert one.frames == payloads


def test_a_large_frame_in_many_pieces_is_joined_once() -> None:
    """A symbol list of a megabyte in reads of 1 KB."""
    payload = bytes(range(256)) * 4096
    data = wire(payload, b"next")
    collector = connected(Collector())
    for start in range(0, len(data), 1024):
        collector.dataReceived(data[start : start + 1024])
    assert collector.frames == [payload, b"next"]


@pytest.mark.parametrize("length", [frames.MAX_FRAME_BYTES + 1, 2**31, 2**32 - 1])
def test_an_overlong_frame_is_refused_before_it_is_buffered(length: int) -> None:
    """The connection is aborted on the announcement; the frames before it count."""
    collector = connected(Collector())
    collector.dataReceived(wire(b"before") + struct.pack("!I", length) + b"x" * 1000)
    assert collector.frames == [b"before"]
    assert collector.transport.disconnecting
    assert not collector._pieces


def test_the_longest_frame_is_taken() -> None:
    """15,000,000 bytes, as other clients take them."""
    assert frames.MAX_FRAME_BYTES == 15_000_000
    collector = connected(Collector())
    payload = b"\x00" * frames.MAX_FRAME_BYTES
    collector.dataReceived(struct.pack("!I", len(payload)))
    collector.dataReceived(payload)
    assert [len(frame) for frame in collector.frames] == [frames.MAX_FRAME_BYTES]


def test_after_dropping_its_input_nothing_is_delivered() -> None:
    """What the rest of a read holds is forgotten, whatever comes is not kept."""

    class Dropping(Collector):
        def stringReceived(self, string: bytes) -> None:
            super().stringReceived(string)
            self.drop_input()

    one = connected(Dropping())
    one.dataReceived(wire(b"a", b"b") + b"\x00")
    one.dataReceived(wire(b"c"))
    assert one.frames == [b"a"] and not one._pieces


def test_heartbeat_bytes() -> None:
    """The bare heartbeat, as recorded."""
    collector = connected(Collector())
    collector.sendString(frames.encode(ProtoHeartbeatEvent()))
    assert collector.transport.value().hex() in ("00000004083312 00".replace(" ", ""), "000000020833")
    for data in (b"\x08\x33\x12\x00", b"\x08\x33"):
        assert frames.open_envelope(data).payloadType == 51


def test_encode_and_open() -> None:
    """A message comes back as it went, with its message id."""
    spot = ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=2, bid=3)
    envelope = frames.open_envelope(frames.encode(spot, "id-1"))
    assert (envelope.payloadType, envelope.clientMsgId) == (2131, "id-1")
    assert frames.open_payload(envelope) == spot


def test_unknown_types_and_fields_are_tolerated() -> None:
    """A type that the schema lacks opens as nothing, a field that it lacks is no trouble."""
    assert frames.open_payload(ProtoMessage(payloadType=2190, payload=b"\x08\x01")) is None
    envelope = ProtoMessage(payloadType=2131, payload=b"\x10\x01\x18\x02\xc0\x3e\x01")
    assert frames.open_payload(envelope).symbolId == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"\xff", b"", b"\x12\x00", b"\x08"])
def test_what_is_no_envelope(data: bytes) -> None:
    """A FrameError that shows the size and not the content."""
    with pytest.raises(frames.FrameError, match=f"frame of {len(data)} bytes"):
        frames.open_envelope(data)


def test_what_is_not_what_it_announces() -> None:
    """A FrameError that names the type."""
    with pytest.raises(frames.FrameError, match="ProtoOASpotEvent"):
        frames.open_payload(ProtoMessage(payloadType=2131, payload=b"\x10"))


@pytest.mark.parametrize("piece", [1, 2, 3])
def test_a_long_frame_in_tiny_pieces_takes_little_memory(piece: int) -> None:
    """TLS brings a piece a record: they are joined now and then, and the frame comes as it was sent."""
    received: list[bytes] = []
    receiver = frames.FrameReceiver()
    receiver.stringReceived = received.append  # type: ignore[method-assign]
    frame = bytes(range(256)) * 400
    data = struct.pack("!I", len(frame)) + frame + b"\0\0\0\1x\0\0"
    most = 0
    for start in range(0, len(data), piece):
        receiver.dataReceived(data[start : start + piece])
        most = max(most, len(receiver._pieces))
    assert received == [frame, b"x"]
    assert most <= frames.MAX_PIECES + 1 + len(frame) // frames.MAX_PIECES
