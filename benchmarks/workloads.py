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
class Change:
    """A client drops a symbol and takes another."""

    client: int
    dropped: str
    taken: str


@dataclass(frozen=True)
class Workload:
    """One population of clients; ``subscriptions()`` gives each client's list."""

    name: str
    clients: int
    pattern: str
    title: str
    rated: bool = False
    """Whether clients ask for 1 to 10 ticks a second and symbol at the most, one after the other."""
    changing: bool = False
    """Whether the clients' lists can be changed."""

    def subscriptions(self) -> list[list[str]]:
        """One list of symbols for each client, the same at every call."""
        choose = _PATTERNS[self.pattern]
        source = random.Random(4)
        return [choose(source, i) for i in range(self.clients)]

    def max_rates(self) -> list[float]:
        """The limit of each client; empty if none has one."""
        return [1.0 + i % 10 for i in range(self.clients)] if self.rated else []

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
        Workload("churn", 1_000, "own", "1,000 clients, lists of their own that change", changing=True),
        Workload("unlimited", 2_000, "own", "2,000 clients, 10 random of 50 symbols each"),
        Workload("rated", 2_000, "own", "the same with limits of 1 to 10 ticks a second", rated=True),
        Workload("C", 10_000, "one", "10,000 clients, one symbol each"),
        Workload("D", 100, "own", "100 clients, 10 random of 50 symbols each"),
        Workload("single", 1, "all", "one client, all 50 symbols"),
        Workload("few", 100, "all", "100 clients, all 50 symbols each"),
        Workload("skew", 1_000, "skewed", "1,000 clients, 10 symbols each, a few of them in nearly every list"),
        Workload("own-5000", 5_000, "own", "5,000 clients, 10 random of 50 symbols each"),
        Workload("own-10000", 10_000, "own", "10,000 clients, 10 random of 50 symbols each"),
    )
}


def changes(workload: Workload, count: int = 20_000) -> list[Change]:
    """Changes of the clients' lists, one client after the other: the oldest symbol for one that it does not have."""
    if not workload.changing:
        return []
    lists = workload.subscriptions()
    made = []
    for i in range(count):
        mine = lists[i % len(lists)]
        dropped = mine.pop(0)
        taken = next(s for s in SYMBOLS[i % len(SYMBOLS) :] + SYMBOLS if s not in mine and s != dropped)
        mine.append(taken)
        made.append(Change(i % len(lists), dropped, taken))
    return made
