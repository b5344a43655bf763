"""A ledger on a clock that tests move."""

from collections.abc import Callable

from tests.support.turns import Turns
from tickrelay.admission.ledger import Ledger, Payer


class Bench:
    """A ledger whose work takes the time that a test says."""

    def __init__(self) -> None:
        self.clock = Turns()
        self.ledger = Ledger(self.clock)
        self.done: list[str] = []

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        """Work that takes *seconds* and is noted as *name*."""

        def run() -> None:
            self.clock.now_s += seconds  # the reactor is busy: nothing else is called
            self.done.append(name)

        return run

    def turn(self) -> list[str]:
        """One turn of the reactor; returns what was done in it."""
        before = len(self.done)
        self.clock.turn()
        return self.done[before:]

    def spend(self, payer: Payer, seconds: float) -> None:
        """Use up so much time."""
        payer.do(self.work("spent", seconds))
