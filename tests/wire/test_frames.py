"""Frames as an independent reader sees them."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from tickrelay.wire import frames


def read(data: bytes) -> Frame:
    """The one frame in *data*, read by another implementation."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    parser = Frame.parse(reader.read_exact, mask=False)
    while True:
        try:
            next(parser)
        except StopIteration as done:
            assert reader.at_eof() or not reader.buffer
            frame: Frame = done.value
            return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
def test_every_length_is_read_back(size: int) -> None:
    """A frame is whole, final and unmasked at each of the three forms of its length."""
    payload = b"x" * size
    for made, opcode in ((frames.text(payload), Opcode.TEXT), (frames.binary(payload), Opcode.BINARY)):
        frame = read(made)
        assert (frame.opcode, bytes(frame.data), frame.fin) == (opcode, payload, True)
        assert len(made) == size + (2 if size < 126 else 4 if size < 65_536 else 10)
