"""What is asked of every contender: how many clients, which symbols, how many ticks a second.

Pure values and arithmetic: no sockets, no clock. The subscription lists come from a fixed seed, so every contender
and every round gets the same ones.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

_QUOTED = "EUR GBP AUD NZD USD CAD CHF JPY SEK NOK DKK".split()

SYMBOLS: tuple[str, ...] = tuple(base + quote for i, base in enumerate(_QUOTED) for quote in _QUOTED[i + 1 :])[:50]
"""Fifty currency pairs; a symbol's id is its place here, counted from one."""

SUBSCRIBED = 10
"""Symbols a client asks for in the workloads A and B."""


@dataclass(frozen=True)
class Workload:
    """One population of clients; ``subscriptions()`` gives each client's list."""

    name: str
    clients: int
    pattern: str
    title: str

    def subscriptions(self) -> list[list[str]]:
        """One list of symbols for each client, the same at every call."""
        choose = _PATTERNS[self.pattern]
        source = random.Random(4)
        return [choose(source, i) for i in range(self.clients)]

    def fan_out(self) -> float:
        """Deliveries one tick causes on average, ticks being spread evenly over all symbols."""
        return sum(len(symbols) for symbols in self.subscriptions()) / len(SYMBOLS)


def _shared(source: random.Random, client: int) -> list[str]:
    return list(SYMBOLS[:SUBSCRIBED])


def _own(source: random.Random, client: int) -> list[str]:
    return source.sample(SYMBOLS, SUBSCRIBED)


def _one(source: random.Random, client: int) -> list[str]:
    return [SYMBOLS[client % len(SYMBOLS)]]


def _all(source: random.Random, client: int) -> list[str]:
    return list(SYMBOLS)


def _skewed(source: random.Random, client: int) -> list[str]:
    """A few symbols that nearly everybody wants and a long tail, as frontends do it."""
    chosen: set[str] = set()
    while len(chosen) < SUBSCRIBED:
        chosen.add(SYMBOLS[min(int(source.paretovariate(0.8)) - 1, len(SYMBOLS) - 1)])
    return sorted(chosen)


_PATTERNS: dict[str, Callable[[random.Random, int], list[str]]] = {
    "shared": _shared,
    "own": _own,
    "one": _one,
    "all": _all,
    "skewed": _skewed,
}

WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        Workload("A", 1_000, "shared", "1,000 clients, the same 10 of 50 symbols"),
        Workload("B", 1_000, "own", "1,000 clients, 10 random of 50 symbols each"),
        Workload("C", 10_000, "one", "10,000 clients, one symbol each"),
        Workload("D", 100, "own", "100 clients, 10 random of 50 symbols each"),
        Workload("single", 1, "all", "one client, all 50 symbols"),
        Workload("few", 100, "all", "100 clients, all 50 symbols each"),
        Workload("skew", 1_000, "skewed", "1,000 clients, 10 symbols each, a few of them in nearly every list"),
        Workload("own-10000", 10_000, "own", "10,000 clients, 10 random of 50 symbols each"),
    )
}
