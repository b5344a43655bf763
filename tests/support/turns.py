"""A reactor's turns, on a clock that only work moves."""

from collections.abc import Callable, Generator
from typing import TypeVar

from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tickrelay.model.clock import Timer

T = TypeVar("T")

START_S = 1_767_225_600


class Turns(TestClock):
    """The relay's clock for tests of what a turn of the reactor does.

    Each reading of it takes *cost_s*: it stands for the work that is done between two readings. What is called later is
    called in a later `turn`, not in the same one; Twisted's Clock would call it within the same ``advance``.
    """

    def __init__(self, cost_s: float = 0.0) -> None:
        super().__init__(Clock(), lambda: START_S + self.now_s)
        self.cost_s = cost_s
        self.now_s = 0.0
        self.calls: list[tuple[float, DelayedCall]] = []
        """Time and call of all that is to come, and of some that was cancelled."""

    def monotonic_s(self) -> float:
        """Seconds since the start, after the work since the last reading."""
        self.now_s += self.cost_s
        return self.now_s

    def call_later(self, delay_s: float, call: Callable[[], object]) -> Timer:
        """Keep the call for a later turn."""
        delayed = DelayedCall(0, call, (), {}, lambda _: None, lambda _: None)
        self.calls.append((self.now_s + delay_s, delayed))
        return delayed

    @property
    def is_busy(self) -> bool:
        """Some call is due."""
        return any(due_s <= self.now_s and call.active() for due_s, call in self.calls)

    def turn(self) -> float:
        """Make the calls that are due and were asked for before this turn; returns how long they took."""
        before_s = self.now_s
        due = [call for due_s, call in self.calls if due_s <= before_s]
        self.calls = [(due_s, call) for due_s, call in self.calls if due_s > before_s]
        for call in due:
            if call.active():
                call.called = 1
                call.func(*call.args, **call.kw)
        return self.now_s - before_s


def done(steps: Generator[None, None, T]) -> tuple[T, int]:
    """What the steps return, and how many there are."""
    number = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, number
        number += 1
