"""Symbols by the names that clients give them: exactly, by another spelling, or by a pattern."""

from collections.abc import Iterator, Mapping
from itertools import islice

from tickrelay.downstream.results import Steps
from tickrelay.model.ticks import Symbol

# What is written between the currencies of a pair. A dot is not among them: brokers distinguish instruments by what
# follows it, such as EURUSD and EURUSD.a.
_SEPARATORS = str.maketrans("", "", "/-_ ")

MAX_PATTERNS = 20
"""In one request: each is compared with all names, of the symbol list or of the client's subscriptions."""

_MAX_KEPT = 64
"""Patterns whose symbols are kept."""

_MAX_KEPT_SYMBOLS = 1_000
"""Of one pattern: what matches more is more than a client can subscribe."""

_HEAD = 3
"""Characters by which names are indexed, for patterns that begin with as many."""

_STEP_NAMES = 500
"""Names that are looked at in one step: 0.1 to 0.5 ms."""


def _plain(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)


def is_pattern(name: str) -> bool:
    """Whether *name* has a ``*``."""
    return "*" in name


class Pattern:
    """A name with at least one ``*``, which stands for any characters; case counts.

    Not a regular expression: one made of a client's pattern may backtrack for exponential time.
    """

    __slots__ = ("_last", "_least", "_longest", "_middle", "first")

    def __init__(self, text: str) -> None:
        self.first, *middle, self._last = text.split("*")
        """What names that match begin with."""
        self._middle = [piece for piece in middle if piece]
        self._least = len(self.first) + len(self._last)
        self._longest = max((self.first, self._last, *self._middle), key=len)

    def matches(self, name: str) -> bool:
        """Whether *name* matches."""
        # Most names do not, and most of them lack the longest piece: the cheapest question comes first.
        if self._longest not in name:
            return False
        if len(name) < self._least or not name.startswith(self.first) or not name.endswith(self._last):
            return False
        at, end = len(self.first), len(name) - len(self._last)
        for piece in self._middle:
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


class SymbolDirectory:
    """One symbol list, by name; made anew when another list is loaded.

    Its index is made in steps, by whoever needs it first: `indexed`.
    """

    def __init__(self, symbols: Mapping[str, Symbol]) -> None:
        self.symbols = symbols
        self._spellings: dict[str, list[Symbol]] = {}
        self._by_head: dict[str, list[Symbol]] = {}
        # Thousands of clients that reconnect at once send the same few patterns.
        self._matched: dict[str, list[Symbol]] = {}
        self._indexing = self._index()

    def _index(self) -> Iterator[None]:
        for number, (name, symbol) in enumerate(self.symbols.items()):
            if number % _STEP_NAMES == 0:
                yield
            self._spellings.setdefault(_plain(name), []).append(symbol)
            self._by_head.setdefault(name[:_HEAD], []).append(symbol)

    def indexed(self) -> Steps[None]:
        """Make the index, which `find` and `match` need. One that is being made is gone on with."""
        for _ in self._indexing:
            yield

    def find(self, name: str) -> list[Symbol]:
        """The symbol called *name*, exactly if there is one; else those that differ in case and separators only.

        Several: the name is ambiguous, and must not be subscribed: it could be another instrument. Empty: none.
        """
        symbol = self.symbols.get(name)
        if symbol is not None:
            return [symbol]
        for _ in self._indexing:
            pass  # has ended before, if `indexed` was done
        return self._spellings.get(_plain(name), [])

    def match(self, pattern: str) -> Steps[list[Symbol]]:
        """The symbols whose names match the `Pattern`, in the order of the symbol list."""
        kept = self._matched.get(pattern)
        if kept is not None:
            return kept
        yield from self.indexed()
        wanted = Pattern(pattern)
        head = wanted.first[:_HEAD]
        candidates = iter(self._by_head.get(head, ()) if len(head) == _HEAD else self.symbols.values())
        found: list[Symbol] = []
        while some := list(islice(candidates, _STEP_NAMES)):
            found += [symbol for symbol in some if wanted.matches(symbol.name)]
            yield
        if len(found) <= _MAX_KEPT_SYMBOLS:
            if len(self._matched) >= _MAX_KEPT:
                self._matched.clear()
            self._matched[pattern] = found
        return found
