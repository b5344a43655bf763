"""Symbols by the names that clients give them: exactly, by another spelling, or by a pattern."""

from collections.abc import Mapping

from tickrelay.model.ticks import Symbol

# What people and other systems put between the currencies of a pair. A dot is not among them: brokers tell
# different instruments apart by what follows one.
_SEPARATORS = str.maketrans("", "", "/-_ ")

_MAX_KEPT = 64


def _plain(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)


def is_pattern(name: str) -> bool:
    """Does the name stand for several?"""
    return "*" in name


class SymbolDirectory:
    """One symbol list; made anew when another is loaded."""

    def __init__(self, symbols: Mapping[str, Symbol]) -> None:
        self.symbols = symbols
        self._spellings: dict[str, list[Symbol]] = {}
        # Thousands of clients that come back at once bring the same few patterns.
        self._matched: dict[str, list[Symbol]] = {}
        for symbol in symbols.values():
            self._spellings.setdefault(_plain(symbol.name), []).append(symbol)

    def find(self, name: str) -> list[Symbol]:
        """The symbol called *name*, exactly if there is one; else those that differ in case and separators only.

        More than one means that the name is ambiguous: prices of the wrong instrument are worse than none.
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
    """Does the name match? In time proportional to its length, whatever the pattern."""
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
