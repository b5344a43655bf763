"""The list of ``getSymbols``: made once for all, in steps."""

from typing import Any

import pytest

from tests.support.turns import Turns, done
from tickrelay.downstream import symbol_list
from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.symbol_list import KEPT_MS, SymbolList
from tickrelay.model.ticks import Symbol
from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.lists import STEP_ITEMS

ENCODINGS = make_encodings("e1")
NUMBER = 20 * STEP_ITEMS


@pytest.fixture
def names() -> SymbolDirectory:
    """A thousand symbols."""
    return SymbolDirectory({f"S{n}": Symbol(symbol_id=n, name=f"S{n}") for n in range(NUMBER)})


@pytest.fixture
def clock() -> Turns:
    """Moved by the test."""
    return Turns()


@pytest.fixture
def shared(clock: Turns) -> SymbolList:
    """No list so far."""
    return SymbolList(clock.wall_ms)


def taken(shared: SymbolList, names: SymbolDirectory, encoding: Any = ENCODINGS.v1_json) -> tuple[list[bytes], int]:
    """The items, and the number of steps that it took to get them."""
    return done(shared.items(encoding, names))


def test_a_list_is_made_once(shared: SymbolList, names: SymbolDirectory, clock: Turns) -> None:
    """Per encoding, symbol list and five seconds."""
    first, steps = taken(shared, names)
    assert steps == len(first) == 20
    assert taken(shared, names) == (first, 0)
    assert taken(shared, names, ENCODINGS.v1_protobuf)[1] == 20
    again = SymbolDirectory(names.symbols)
    assert taken(shared, again)[1] == 20
    clock.now_s += KEPT_MS / 1000 + 1
    assert taken(shared, again)[1] == 20


def test_who_waits_for_a_list_helps_to_make_it(shared: SymbolList, names: SymbolDirectory) -> None:
    """Two clients share the steps, and one that leaves in the middle takes nothing away."""
    one, other = shared.items(ENCODINGS.v1_json, names), shared.items(ENCODINGS.v1_json, names)
    for _ in range(5):
        next(one)
        next(other)
    one.close()
    assert sum(1 for _ in other) == 10
    assert taken(shared, names)[1] == 0


def test_a_failure_is_that_of_one_list_only(
    shared: SymbolList, names: SymbolDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for it fails too; the next client begins another."""
    one, other = shared.items(ENCODINGS.v1_json, names), shared.items(ENCODINGS.v1_json, names)
    next(one)
    next(other)
    with monkeypatch.context() as patched:
        patched.setattr(symbol_list, "symbol_info", None)
        with pytest.raises(TypeError):
            next(one)
    with pytest.raises(RuntimeError):
        next(other)
    assert taken(shared, names)[1] == 20
