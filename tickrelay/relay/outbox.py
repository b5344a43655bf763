"""Sends one client's bytes: directly to the socket while it keeps up, through the transport while it does not.

Ticks, answers and control frames all pass here, so that bytes never overtake each other: while the transport holds a
byte, all that follows goes through the transport too, until it has written everything out. The outbox does not read
the frames; its owner decides what is sent next.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from tickrelay.model.errors import CloseCode

CHUNK_BYTES = 65_536
"""Bytes given to the transport at a time; each chunk that it drains restarts the stuck timeout."""


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
        """The close frame is written: what follows is dropped."""
        self.queued_bytes = 0
        self._queue: deque[bytes] | None = None
        self._write = write

    def write(self, frame: bytes) -> None:
        """Send one or more frames of any kind, after all that was sent before. Never raises."""
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
        """The socket took only *taken* bytes of *data* (-1: all): give the rest to the transport."""
        self.blocked = True
        if taken >= 0:
            rest = data[taken:]
            self._write(rest[:CHUNK_BYTES])
            if len(rest) > CHUNK_BYTES:
                self._enqueue(rest[CHUNK_BYTES:])
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
