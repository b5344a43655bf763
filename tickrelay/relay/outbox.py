"""One client's way out: straight to the socket while it keeps up, through its transport while it does not.

Everything that leaves for a client passes here, ticks and answers and control frames, so that bytes never overtake
each other: as soon as the transport holds a byte, all that follows goes through the transport too, until it says
that it has written everything out.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tickrelay.model.errors import CloseCode
from tickrelay.relay.channel import Channel
from tickrelay.wire.encodings import Encoding

if TYPE_CHECKING:
    from tickrelay.relay.cohort import Cohort
    from tickrelay.relay.fanout import Fanout

CHUNK_BYTES = 65_536
"""What the transport is given at a time: each chunk that it drains is a sign of life from the client."""


class Outbox:
    """Owned by a client's connection; the fan-out moves it between the fast lane and the slow one.

    ``send(data) -> int`` takes bytes at once and says how many (-1: all, but no more for now; OSError: none).
    ``write(data) -> bool`` gives them to the transport, which always takes all; True means that it holds data now and
    that `drained` will be called when it has written everything out. ``close(code, reason)`` starts the closing
    handshake.
    """

    __slots__ = (
        "_fanout",
        "_queue",
        "_write",
        "blocked",
        "channels",
        "close",
        "cohort",
        "encoding",
        "expelled",
        "features",
        "over",
        "paused",
        "positions",
        "queued_bytes",
        "send",
    )  # fmt: skip

    def __init__(
        self,
        fanout: "Fanout",
        encoding: Encoding,
        send: Callable[[bytes], int],
        write: Callable[[bytes], bool],
        close: Callable[[CloseCode, str], None],
    ) -> None:
        self.encoding = encoding
        self.send = send
        self.close = close
        self.features: frozenset[str] = frozenset()
        self.channels: dict[Channel, float] = {}
        """Subscribed channels -> the highest rate the client wants of it, ticks per second (0: every tick)."""
        self.cohort: Cohort | None = None
        self.positions: dict[Channel, int] = {}
        """Channels that are not served by the cohort -> the sequence number that the client got last."""
        self.paused = False
        self.blocked = False
        """The transport holds data for the client: it is behind."""
        self.expelled = False
        self.over = False
        """The close frame is written: nothing may follow it."""
        self.queued_bytes = 0
        self._queue: deque[bytes] | None = None
        self._fanout = fanout
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
            self.hold(frame, taken)
            self._fanout.fell_behind(self)
        else:
            self._enqueue(frame)
        if self.queued_bytes > self._fanout.max_queued_bytes:
            self._fanout.expel(self)

    def hold(self, data: bytes, taken: int) -> None:
        """The socket took only *taken* bytes of *data*: the transport gets the rest."""
        self.blocked = True
        if taken >= 0:
            rest = data[taken:]
            self._write(rest[:CHUNK_BYTES])
            if len(rest) > CHUNK_BYTES:
                self._enqueue(rest[CHUNK_BYTES:])

    def drained(self) -> None:
        """The transport has written out all it had: give it more, or return to the fast lane."""
        while self._queue:
            self._fanout.progressed(self)
            if self._write(self._next_chunk()):
                return
        if self.blocked:
            self.blocked = False
            self._queue = None
            self._fanout.caught_up(self)

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
