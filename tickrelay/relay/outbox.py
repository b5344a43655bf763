"""One client's way out: straight to the socket while it keeps up, through its transport while it does not.

Everything that leaves for a client passes here, ticks and answers and control frames, so that bytes never overtake
each other: as soon as the transport holds a byte, all that follows goes through the transport too, until it has
written everything out. What the bytes mean, and what is sent next, is the owner's business.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from tickrelay.model.errors import CloseCode

CHUNK_BYTES = 65_536
"""Bytes given to the transport at a time; each chunk that it drains is progress of the client."""


class OutboxOwner(Protocol):
    """Who is told of backpressure."""

    def outbox_blocked(self) -> None:
        """The transport holds data for the client now."""

    def outbox_progressed(self, drained: bool) -> None:
        """The transport has written out what it was given; *drained*: nothing waits any more."""

    def outbox_overflowed(self) -> None:
        """More than `Outbox.max_queued_bytes` wait for the client. Called for each further frame until it is closed."""


class Outbox:
    """Owned by a client's connection.

    ``send(data) -> int`` takes bytes at once and returns how many it took (-1: all, but the transport is full now;
    raises OSError: none). ``write(data) -> bool`` gives them to the transport, which always takes all; True means that
    the transport holds data and that `drained` will be called when it has written everything out.
    ``close(code, reason)`` starts the closing handshake.
    """

    __slots__ = ("_queue", "_write", "blocked", "close", "max_queued_bytes", "over", "owner", "queued_bytes", "send")

    def __init__(
        self,
        send: Callable[[bytes], int],
        write: Callable[[bytes], bool],
        close: Callable[[CloseCode, str], None],
        max_queued_bytes: int,
    ) -> None:
        self.send = send
        self.close = close
        self.max_queued_bytes = max_queued_bytes
        self.owner: OutboxOwner
        """Set by the subscriber that is made for this outbox."""
        self.blocked = False
        """The transport holds data for the client."""
        self.over = False
        """The close frame is written: nothing may follow it."""
        self.queued_bytes = 0
        self._queue: deque[bytes] | None = None
        self._write = write

    def write(self, frame: bytes) -> None:
        """Send a frame that is the client's own: an answer, a status, a control frame. Keeps the order."""
        if self.over:
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
            self._enqueue(frame)
        if self.queued_bytes > self.max_queued_bytes:
            self.owner.outbox_overflowed()

    def block(self, data: bytes, taken: int) -> None:
        """The socket took only *taken* bytes of *data* (-1: all): the transport gets the rest."""
        self.blocked = True
        if taken >= 0:
            rest = data[taken:]
            self._write(rest[:CHUNK_BYTES])
            if len(rest) > CHUNK_BYTES:
                self._enqueue(rest[CHUNK_BYTES:])
        self.owner.outbox_blocked()

    def drained(self) -> None:
        """The transport has written out all it had: give it more, or tell the owner that the way is free."""
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
        pieces: list[bytes] = []
        room = CHUNK_BYTES
        while self._queue and room:
            piece = self._queue.popleft()
            if len(piece) > room:
                self._queue.appendleft(piece[room:])
                piece = piece[:room]
            pieces.append(piece)
            room -= len(piece)
        self.queued_bytes -= CHUNK_BYTES - room
        return b"".join(pieces)

    def _enqueue(self, data: bytes) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(data)
        self.queued_bytes += len(data)
