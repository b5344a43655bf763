"""Names, spellings and patterns."""

import fnmatch
import time

from hypothesis import given
from hypothesis import strategies as st

from tickrelay.downstream.directory import SymbolDirectory, is_pattern, matches
from tickrelay.model.ticks import Symbol

NAMES = SymbolDirectory(
    {name: Symbol(symbol_id=1, name=name) for name in ("EURUSD", "EURUSD.x", "US 30", "#AAPL", "A*B")}
)


def found(name: str) -> list[str]:
    """The names that *name* finds."""
    return [symbol.name for symbol in NAMES.find(name)]


def test_case_and_separators_do_not_matter_but_a_suffix_does() -> None:
    """EURUSD.x is another instrument than EURUSD."""
    for spelling in ("EURUSD", "eur/usd", "EUR-USD", "Eur_Usd", "e u r u s d"):
        assert found(spelling) == ["EURUSD"]
    assert found("eurusd.X") == ["EURUSD.x"]
    assert found("us30") == ["US 30"]
    assert found("AAPL") == found("") == []


def test_a_symbol_with_a_star_in_its_name_is_found_by_it() -> None:
    """The exact spelling comes before patterns."""
    assert found("A*B") == ["A*B"]


@given(st.text("abc*?[]", max_size=8).filter(is_pattern), st.text("abc", max_size=10))
def test_only_the_star_is_special(pattern: str, name: str) -> None:
    """As in a shell, without its question marks and brackets."""
    escaped = "".join("[" + c + "]" if c in "?[" else c for c in pattern)
    assert matches(name, pattern) == fnmatch.fnmatchcase(name, escaped)


def test_no_pattern_takes_long() -> None:
    """A pattern made to backtrack does not."""
    begun = time.perf_counter()
    assert not matches("a" * 10_000, "*a" * 40 + "*b")
    assert time.perf_counter() - begun < 0.5


def test_what_is_kept_of_patterns_is_bounded() -> None:
    """Patterns that never come back do not fill the memory, and are answered all the same."""
    names = SymbolDirectory({"AB": Symbol(symbol_id=1, name="AB")})
    for n in range(500):
        assert names.match(f"{n}*") == []
    assert [symbol.name for symbol in names.match("A*")] == ["AB"]
    assert names.match("A*") is names.match("A*")
    assert len(names._matched) <= 64
