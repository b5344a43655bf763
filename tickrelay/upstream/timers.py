"""Timers by name: each name has one timer at most, and all of them can be ended at once."""

from collections.abc import Callable

from tickrelay.model.clock import Clock, Timer


class Timers:
    """The timers of one session, on its clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[str, Timer] = {}

    def after(self, name: str, delay_s: float, call: Callable[[], object]) -> None:
        """Call once in *delay_s*; replaces the timer that had the name."""
        self.cancel(name)
        self._running[name] = self._clock.call_later(delay_s, call)

    def running(self, name: str) -> bool:
        """Is the timer still to fire?"""
        timer = self._running.get(name)
        return timer is not None and timer.active()

    def cancel(self, *names: str) -> None:
        """End these timers, where they run."""
        for name in names:
            timer = self._running.pop(name, None)
            if timer is not None and timer.active():
                timer.cancel()

    def cancel_all(self) -> None:
        """End them all."""
        self.cancel(*tuple(self._running))
