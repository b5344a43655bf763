"""Names, spellings and patterns."""

import fnmatch
import time
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from tests.support.turns import done
from tickrelay.downstream.directory import Pattern, SymbolDirectory, is_pattern
from tickrelay.model.ticks import Symbol

T = TypeVar("T")

NAMES = SymbolDirectory(
    {name: Symbol(symbol_id=1, name=name) for name in ("EURUSD", "EURUSD.x", "US 30", "#AAPL", "A*B")}
)


def matches(name: str, pattern: str) -> bool:
    """Whether the name matches the pattern."""
    return Pattern(pattern).matches(name)


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
        assert done(names.match(f"{n}*"))[0] == []
    assert [symbol.name for symbol in done(names.match("A*"))[0]] == ["AB"]
    assert done(names.match("A*"))[0] is done(names.match("A*"))[0]
    assert len(names._matched) <= 64


@given(st.lists(st.text("ab*", max_size=6), unique=True), st.text("ab*", max_size=6).filter(is_pattern))
def test_a_pattern_finds_what_a_comparison_with_each_name_finds(names: list[str], pattern: str) -> None:
    """In the order of the list, whatever index is used."""
    directory = SymbolDirectory({name: Symbol(symbol_id=1, name=name) for name in names})
    expected = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
    assert [symbol.name for symbol in done(directory.match(pattern))[0]] == expected


def test_a_large_list_is_searched_in_steps() -> None:
    """The index is made in steps too, and by several at once; only a pattern with a known beginning needs few."""
    directory = SymbolDirectory({f"S{n:05d}": Symbol(symbol_id=n, name=f"S{n:05d}") for n in range(50_000)})
    first, second = directory.indexed(), directory.indexed()
    for _ in range(20):
        next(first)
        next(second)
    assert done(first)[1] + 40 == 100 and done(second)[1] == 0
    everything, steps = done(directory.match("*"))
    assert len(everything) == 50_000 and steps >= 100
    some, steps = done(directory.match("S490*7"))
    assert [symbol.name for symbol in some] == [f"S490{n}7" for n in range(10)] and steps < 25


def test_a_name_is_found_before_the_index_is_made() -> None:
    """Who does not wait for the index has it made at once."""
    directory = SymbolDirectory({"EURUSD": Symbol(symbol_id=1, name="EURUSD")})
    assert [symbol.name for symbol in directory.find("eur/usd")] == ["EURUSD"]
