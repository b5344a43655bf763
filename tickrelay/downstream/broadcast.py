"""A status for every client: encoded once an encoding, and sent in slices so that ticks go out in between.

A symbol list may be 200 KB; for thousands of clients that is more than one turn of the reactor should carry.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tickrelay.wire.encodings import Encoding

if TYPE_CHECKING:
    from tickrelay.downstream.session import ClientSession

SLICE_BYTES = 1_048_576


class Broadcast:
    """Sends statuses in the order they came, each to every client that has not heard a newer one."""

    def __init__(self, call_later: Callable[[float, Callable[[], None]], object]) -> None:
        self.number = 0
        """The newest status; a session that was answered with it needs no broadcast of it."""
        self._call_later = call_later
        self._queue: deque[tuple[int, dict[Encoding, bytes], deque[ClientSession]]] = deque()

    def send(self, frames: dict[Encoding, bytes], sessions: "Iterable[ClientSession]") -> None:
        """Begin to send the frame of each session's encoding; what fits one slice goes out before this returns."""
        self.number += 1
        self._queue.append((self.number, frames, deque(sessions)))
        if len(self._queue) == 1:
            self._pump()

    def _pump(self) -> None:
        room = SLICE_BYTES
        while self._queue:
            number, frames, sessions = self._queue[0]
            while sessions and room > 0:
                session = sessions.popleft()
                frame = frames.get(session.subscriber.encoding)
                if frame is not None and session.is_open and session.heard < number:
                    session.heard = number
                    session.subscriber.outbox.write(frame)
                    room -= len(frame)
            if sessions:
                self._call_later(0.0, self._pump)
                return
            self._queue.popleft()
