"""Delays batches of frames and keeps their order, also when the delay shrinks, as TCP does."""

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

Batch = Sequence[bytes]


class DelayLine:
    """A queue in time before *out*. Its size is bounded by the delay times the rate of what is sent."""

    __slots__ = ("_call", "_clock", "_out", "_waiting")

    def __init__(self, clock: IReactorTime, out: Callable[[Batch], None]) -> None:
        self._clock = clock
        self._out = out
        self._waiting: deque[tuple[float, Batch]] = deque()
        self._call: IDelayedCall | None = None

    @property
    def rest_s(self) -> float:
        """Seconds until the last batch is passed on; 0 where none waits."""
        return max(0.0, self._waiting[-1][0] - self._clock.seconds()) if self._waiting else 0.0

    def send(self, batch: Batch, delay_s: float) -> None:
        """Pass on, at once or *delay_s* later, but never before what was sent earlier."""
        if not delay_s and not self._waiting:
            self._out(batch)
            return
        due_s = max(self._clock.seconds() + delay_s, self._waiting[-1][0] if self._waiting else 0.0)
        self._waiting.append((due_s, batch))
        if self._call is None:
            self._wait()

    def drop(self) -> None:
        """Drop what waits."""
        self._waiting.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self) -> None:
        self._call = self._clock.callLater(max(0.0, self._waiting[0][0] - self._clock.seconds()), self._pass_on)

    def _pass_on(self) -> None:
        self._call = None
        now_s = self._clock.seconds()
        while self._waiting and self._waiting[0][0] <= now_s:
            self._out(self._waiting.popleft()[1])
        if self._waiting and self._call is None:
            self._wait()
