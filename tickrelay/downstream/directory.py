"""Symbols by the names that clients give them: exactly, by another spelling, or by a pattern."""

from collections.abc import Mapping

from tickrelay.model.ticks import Symbol

# What is written between the currencies of a pair. A dot is not among them: brokers distinguish instruments by what
# follows it, such as EURUSD and EURUSD.a.
_SEPARATORS = str.maketrans("", "", "/-_ ")

_MAX_KEPT = 64


def _plain(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)


def is_pattern(name: str) -> bool:
    """Whether *name* has a ``*``."""
    return "*" in name


class SymbolDirectory:
    """One symbol list, by name; made anew when another list is loaded."""

    def __init__(self, symbols: Mapping[str, Symbol]) -> None:
        self.symbols = symbols
        self._spellings: dict[str, list[Symbol]] = {}
        # Thousands of clients that reconnect at once send the same few patterns.
        self._matched: dict[str, list[Symbol]] = {}
        for symbol in symbols.values():
            self._spellings.setdefault(_plain(symbol.name), []).append(symbol)

    def find(self, name: str) -> list[Symbol]:
        """The symbol called *name*, exactly if there is one; else those that differ in case and separators only.

        Several: the name is ambiguous, and must not be subscribed: it could be another instrument. Empty: none.
        """
        symbol = self.symbols.get(name)
        return [symbol] if symbol is not None else self._spellings.get(_plain(name), [])

    def match(self, pattern: str) -> list[Symbol]:
        """The symbols whose names match, ``*`` standing for any characters; case counts."""
        found = self._matched.get(pattern)
        if found is None:
            if len(self._matched) >= _MAX_KEPT:
                self._matched.clear()
            found = [symbol for name, symbol in self.symbols.items() if matches(name, pattern)]
            self._matched[pattern] = found
        return found


def matches(name: str, pattern: str) -> bool:
    """Whether *name* matches, case-sensitively. *pattern* has at least one ``*``, which stands for any characters.

    Not a regular expression: one made of a client's pattern may backtrack for exponential time.
    """
    first, *middle, last = pattern.split("*")
    middle = [piece for piece in middle if piece]
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
