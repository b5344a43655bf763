"""What a contender is: values only."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.processes import ROOT

CACHE = ROOT / "benchmarks" / ".cache"
"""Everything that is installed, built or logged; not under version control."""


class MissingError(Exception):
    """A contender cannot take part here; the text is the word that stands in the table."""


@dataclass(frozen=True)
class Start:
    """One way to start a server: its command, and what has to be set in its environment."""

    command: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Feed:
    """How a contender gets its ticks: a module, its arguments (the last awaits the port), and who calls whom."""

    module: str
    arguments: tuple[str, ...]
    connects: bool = False

    def command(self, port: int) -> list[str]:
        """The module and its arguments."""
        return [self.module, *self.arguments, str(port)]


PLAIN = Feed("benchmarks.feed", ("--listen",))
TO_NATS = Feed("benchmarks.feed", ("--nats",), connects=True)


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    ``prepare`` installs or finds it and gives its version; ``start`` gives the command for a port of its own and the
    port of its feed. ``scenarios`` names those of a variant that need not go through all of them, ``extra`` those that
    are not for everybody.
    """

    name: str
    title: str
    prepare: Callable[[], str]
    start: Callable[[int, int], Start]
    dialect: str = "basic"
    feed: Feed = PLAIN
    scenarios: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    tls: bool = False
    """Whether its clients speak TLS."""
