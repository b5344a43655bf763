"""Messages to many clients, a slice in each turn of the reactor: ticks, pings and requests are served in between."""

from collections import deque
from collections.abc import Iterator

from tickrelay.model.clock import Clock

SLICE_S = 0.003
"""Time for broadcasts in one turn, of all together."""


class Broadcasts:
    """All that are going on, in their order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[Iterator[None]] = deque()

    def begin(self, sends: Iterator[None]) -> None:
        """Do *sends*, each step of which serves one client, after those that were begun before; a slice of them now.

        The clients may change between two steps.
        """
        self._queue.append(sends)
        if len(self._queue) == 1:
            self._send_slice()

    def _send_slice(self) -> None:
        end_s = self._clock.monotonic_s() + SLICE_S
        try:
            while self._queue:
                for _ in self._queue[0]:
                    if self._clock.monotonic_s() >= end_s:
                        return
                self._queue.popleft()
        finally:
            # After an error too: what raised it has ended, and the others go on.
            if self._queue:
                self._clock.call_later(0, self._send_slice)
