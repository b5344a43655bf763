"""The one clock protocol: what schedules, and the two clocks that are read."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is still to come; Twisted's IDelayedCall is one."""

    def cancel(self) -> None:
        """Do not make the call. Twisted raises AlreadyCalled or AlreadyCancelled where there is none any more."""

    def active(self) -> bool:
        """Whether the call is still to come."""


class Clock(Protocol):
    """The time of the process, injected; `tickrelay.startup.ReactorClock` makes one of a reactor.

    Durations and deadlines use `monotonic_s`, which no change of the system's clock moves; stamps and schedules of the
    market use `wall_ms`.
    """

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never steps."""

    def wall_ms(self) -> int:
        """Unix milliseconds."""

    def call_later(self, delay_s: float, call: Callable[[], object]) -> Timer:
        """Make *call* once, *delay_s* from now; 0 is the end of the reactor's turn."""
