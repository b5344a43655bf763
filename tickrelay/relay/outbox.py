"""Sends one client's bytes: directly to the socket while it keeps up, through the transport while it does not.

Ticks, answers and control frames all pass here, so that bytes never overtake each other: while the transport holds a
byte, all that follows goes through the transport too, until it has written everything out. The outbox does not read
the frames; its owner decides what is sent next.
"""

import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from tickrelay.model.errors import CloseCode

CHUNK_BYTES = 65_536 if sys.platform == "linux" else 16_384
"""Bytes given to the transport at a time. Each chunk that it drains restarts the stuck timeout; where the kernel does
not tell what the client took of one, chunks are smaller.
"""

LARGE_BYTES = 262_144
"""A message of more bytes is large: written in chunks from the start, and not counted in `Outbox.queued_bytes`."""


def _write_nothing(data: bytes) -> bool:
    """Drop *data* of a client that is gone."""
    return True


def _close_nothing(code: CloseCode, reason: str) -> None:
    """The client is gone already."""


class OutboxOwner(Protocol):
    """Called on changes of backpressure."""

    def outbox_blocked(self) -> None:
        """The transport holds data for the client now."""

    def outbox_progressed(self, drained: bool) -> None:
        """The transport has written out what it was given; *drained*: nothing is queued any more."""

    def outbox_overflowed(self) -> None:
        """More than `Outbox.max_queued_bytes` are queued. Called for each further frame until the client is closed."""


class Outbox:
    """Owned by a client's connection.

    ``send(data) -> int`` takes bytes at once and returns how many it took (-1: all, but the transport is full now;
    raises OSError: none). ``write(data) -> bool`` gives them to the transport, which always takes all; True means that
    the transport holds data and that `drained` will be called when it has written everything out.
    ``close(code, reason)`` starts the closing handshake. ``reading() -> int`` gives a number that changes when the
    client has read; always the same: it is not known.
    """

    __slots__ = (
        "_queue",
        "_reading",
        "_seen",
        "_write",
        "blocked",
        "close",
        "large_bytes",
        "max_queued_bytes",
        "over",
        "owner",
        "queued_bytes",
        "send",
        "was_blocked",
    )

    def __init__(
        self,
        send: Callable[[bytes], int],
        write: Callable[[bytes], bool],
        close: Callable[[CloseCode, str], None],
        max_queued_bytes: int,
        reading: Callable[[], int] = int,
    ) -> None:
        self.send = send
        self.close = close
        self.max_queued_bytes = max_queued_bytes
        self.owner: OutboxOwner
        """Set by the subscriber that is made for this outbox."""
        self.blocked = False
        """The transport holds data for the client."""
        self.was_blocked = False
        """It has held data; cleared by whoever asks from time to time."""
        self.over = False
        """The close frame is written, or the connection gone: what follows is dropped."""
        self.queued_bytes = 0
        self.large_bytes = 0
        """What is queued of a large message besides, of bytes that clients share. While it is not 0 no further request
        of the client is to be read: a second large message counts in `queued_bytes`.
        """
        self._queue: deque[tuple[memoryview, bool]] | None = None
        """Pieces of messages, and whether each counts in `queued_bytes`."""
        self._write = write
        self._reading = reading
        self._seen = 0

    def lost(self) -> None:
        """The connection is gone: drop what is queued, the ways out, which refer to the connection and to its TLS
        state, and the owner, which is not called any more. In a reference cycle all of them would stay until Python's
        next full collection, thousands of connections later.
        """
        self.over = True
        self._queue = None
        self.queued_bytes = self.large_bytes = 0
        self.send = len
        self._write = _write_nothing
        self.close = _close_nothing
        self._reading = int
        del self.owner

    def is_read(self) -> bool:
        """Whether the client has read since the last call, as far as the kernel tells."""
        seen, self._seen = self._seen, self._reading()
        return self._seen != seen

    def write(self, frame: bytes) -> None:
        """Send one or more frames of any kind, after all that was sent before. Never raises."""
        if self.over:
            return
        if len(frame) > LARGE_BYTES:
            self.write_pieces((frame,))
            return
        if not self.blocked:
            try:
                taken = self.send(frame)
            except OSError:
                taken = 0
            if taken == len(frame):
                return
            self.block(frame, taken)
        else:
            self._enqueue(memoryview(frame), True)
        if self.queued_bytes > self.max_queued_bytes:
            self.owner.outbox_overflowed()

    def write_pieces(self, pieces: Sequence[bytes]) -> None:
        """Send one message, its header included, after all that was sent before. Never raises.

        The *pieces* of a large one are not copied until the transport has room for them: other clients may be sent the
        same. Nothing may stand inside of a frame (RFC 6455), so until it is written out the client counts as behind:
        its ticks are conflated, and its pings wait.
        """
        if self.over:
            return
        if sum(map(len, pieces)) <= LARGE_BYTES:
            self.write(b"".join(pieces))
            return
        counts = self.large_bytes > 0
        for piece in pieces:
            self._enqueue(memoryview(piece), counts)
        if not self.blocked:
            # Not sent directly: over TLS all of it would be encrypted, and kept, at once.
            self.blocked = self.was_blocked = True
            self.owner.outbox_blocked()
            self.drained()
        elif self.queued_bytes > self.max_queued_bytes:
            self.owner.outbox_overflowed()

    def block(self, data: bytes, taken: int) -> None:
        """The socket took only *taken* bytes of *data* (-1: all): give the rest to the transport."""
        self.blocked = self.was_blocked = True
        if taken >= 0:
            rest = memoryview(data)[taken:]
            self._write(bytes(rest[:CHUNK_BYTES]))
            if len(rest) > CHUNK_BYTES:
                self._enqueue(rest[CHUNK_BYTES:], True)
        self.owner.outbox_blocked()

    def drained(self) -> None:
        """The transport has written out all it had: give it the next chunk, or notify the owner that none is left."""
        while self._queue:
            self.owner.outbox_progressed(False)
            if self._write(self._next_chunk()):
                return
        if self.blocked:
            self.blocked = False
            self._queue = None
            self.owner.outbox_progressed(True)

    def _next_chunk(self) -> bytes:
        assert self._queue
        pieces: list[memoryview] = []
        room = CHUNK_BYTES
        while self._queue and room:
            piece, counts = self._queue.popleft()
            if len(piece) > room:
                self._queue.appendleft((piece[room:], counts))
                piece = piece[:room]
            pieces.append(piece)
            room -= len(piece)
            self._count(-len(piece), counts)
        return b"".join(pieces)

    def _enqueue(self, piece: memoryview, counts: bool) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append((piece, counts))
        self._count(len(piece), counts)

    def _count(self, size: int, counts: bool) -> None:
        if counts:
            self.queued_bytes += size
        else:
            self.large_bytes += size
