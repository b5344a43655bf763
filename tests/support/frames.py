"""Frames as tests make and read them, of WebSocket and of the Open API; written without the code under test."""

from collections.abc import Iterator


def frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """A client's WebSocket frame, masked with zeros."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


def take_frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each of a server's WebSocket frames, removed from *buffer*; a cut frame stays in it."""
    while len(buffer) >= 2:
        assert buffer[0] & 0xF0 == 0x80, "tickrelay sends final frames without extensions"
        size, start = buffer[1], 2
        if size >= 126:
            assert size <= 127, "a server's frames are not masked"
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start], "big")
        end = start + size
        if len(buffer) < max(start, end):
            return
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start:end])
        del buffer[:end]
        yield opcode, payload


def payload_of(data: bytes, opcode: int | None = None) -> bytes:
    """The payload of *data*, which must be exactly one frame; of *opcode*, or else of text or binary."""
    rest = bytearray(data)
    ((found, payload),) = take_frames(rest)
    assert not rest and found in ((1, 2) if opcode is None else (opcode,))
    return payload


def length_prefixed(frame: bytes) -> bytes:
    """A frame of the Open API as it stands on the wire."""
    return len(frame).to_bytes(4, "big") + frame


def take_length_prefixed(buffer: bytearray) -> Iterator[bytes]:
    """Each whole frame of the Open API, removed from *buffer*; a cut frame stays in it."""
    while len(buffer) >= 4 and len(buffer) >= (end := 4 + int.from_bytes(buffer[:4], "big")):
        found = bytes(buffer[4:end])
        del buffer[:end]
        yield found
