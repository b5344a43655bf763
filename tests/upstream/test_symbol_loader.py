"""The symbol table, kept up to date across events, losses and connections."""

from collections.abc import Iterable
from typing import Any

import pytest

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent

from tests.support.relay import TestClock
from tickrelay.upstream.errors import LinkLost, OpenApiError
from tickrelay.upstream.symbol_loader import REFRESH_EVERY_S, RELOAD_EVERY_S, SymbolLoader
from tickrelay.upstream.symbol_table import SymbolTable
from tickrelay.upstream.symbol_values import MAX_SYMBOLS


class Link:
    """Stands for a connection; only its identity matters."""

    def deliver_spots(self) -> None:
        """Its spots are looked at elsewhere."""


class Bench:
    """A loader, its owner, and the requests of its tables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.loader = SymbolLoader(1, TestClock(self.clock), self)
        self.events: list[object] = []
        self.loads: list[Deferred[None]] = []
        self.refreshes: list[tuple[set[int], Deferred[bool]]] = []

        async def load(table: SymbolTable, link: object, account_id: int) -> None:
            self.loads.append(Deferred())
            await self.loads[-1]

        async def refresh(table: SymbolTable, link: object, account_id: int, ids: Iterable[int]) -> bool:
            answer: Deferred[bool] = Deferred()
            self.refreshes.append((set(ids), answer))
            return await answer

        monkeypatch.setattr(SymbolTable, "load", load)
        monkeypatch.setattr(SymbolTable, "refresh", refresh)

    def symbols_loaded(self) -> None:
        """Kept."""
        self.events.append("loaded")

    def symbols_refreshed(self) -> None:
        """Kept."""
        self.events.append("refreshed")

    def symbols_outdated(self) -> None:
        """It is time."""
        self.loader.refresh()

    def request_failed(self, error: Exception) -> None:
        """Kept."""
        self.events.append(error)

    def load(self, link: Any) -> None:
        """Load on *link*, with an answer at once where one is needed."""
        before = len(self.loads)
        Deferred.fromCoroutine(self.loader.load(link))
        if len(self.loads) > before:
            self.loads[-1].callback(None)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A loader without a table."""
    return Bench(monkeypatch)


def test_a_connection_loads_once(bench: Bench) -> None:
    """The account authorised again on the same connection: the table stays; another connection: a new one."""
    link = Link()
    bench.load(link)
    table = bench.loader.table
    bench.load(link)
    assert bench.events == ["loaded"] and bench.loader.table is table
    bench.loader.forget_link()
    bench.load(Link())
    assert bench.events == ["loaded"] * 2 and bench.loader.table is not table


def test_what_changed_while_it_loads_is_asked_for_afterwards(bench: Bench) -> None:
    """All in one request; what was announced before the load began is in its answer."""
    bench.loader.outdated([1])
    link: Any = Link()
    Deferred.fromCoroutine(bench.loader.load(link))
    bench.loader.outdated([2])
    bench.loader.outdated([3, 2])
    bench.loader.refresh()
    assert not bench.refreshes, "no table yet"
    bench.loads[-1].callback(None)
    bench.loader.refresh()
    assert [ids for ids, _ in bench.refreshes] == [{2, 3}]
    bench.refreshes[0][1].callback(True)
    bench.loader.refresh()
    assert bench.events == ["loaded", "refreshed"] and len(bench.refreshes) == 1


def test_a_refresh_that_changes_nothing_is_not_reported(bench: Bench) -> None:
    """Brokers announce changes of fields that are not used here."""
    bench.load(Link())
    bench.loader.outdated([1])
    bench.loader.refresh()
    bench.refreshes[0][1].callback(False)
    assert bench.events == ["loaded"]


def test_a_refresh_that_finds_the_account_logged_out_is_made_again(bench: Bench) -> None:
    """Another refusal is not: the request would be refused again."""
    bench.load(Link())
    for code, again in (("ACCOUNT_NOT_AUTHORIZED", True), ("UNKNOWN_ERROR", False)):
        bench.loader.outdated([7])
        bench.loader.refresh()
        error = OpenApiError(code)
        bench.refreshes.pop()[1].errback(error)
        assert bench.events[-1] is error
        assert not bench.refreshes, "not at once"
        bench.clock.advance(RELOAD_EVERY_S)
        assert [ids for ids, _ in bench.refreshes] == ([{7}] if again else [])
        if again:
            bench.refreshes.pop()[1].callback(False)
            bench.clock.advance(RELOAD_EVERY_S)


def test_refreshes_follow_each_other_slowly(bench: Bench) -> None:
    """One at a time; what changes meanwhile is asked for together, a second after known symbols, later after others."""
    bench.load(Link())
    bench.loader.table.by_id = dict.fromkeys((1, 2, 3))  # type: ignore[arg-type]
    for ids in ([1], [2], [3, 2]):
        bench.loader.outdated(ids)
        bench.loader.refresh()
    assert [ids for ids, _ in bench.refreshes] == [{1}]
    bench.refreshes[0][1].callback(False)
    bench.clock.advance(REFRESH_EVERY_S * 0.9)
    assert len(bench.refreshes) == 1
    bench.clock.advance(REFRESH_EVERY_S * 0.2)
    assert [ids for ids, _ in bench.refreshes][1:] == [{2, 3}]
    bench.loader.outdated([9])
    bench.refreshes[1][1].callback(False)
    bench.clock.advance(REFRESH_EVERY_S)
    assert [ids for ids, _ in bench.refreshes][2:] == [{9}]
    bench.refreshes[2][1].callback(False)
    bench.loader.outdated([1])
    bench.loader.refresh()
    bench.clock.advance(RELOAD_EVERY_S - 1)
    assert len(bench.refreshes) == 3
    bench.clock.advance(1)
    assert [ids for ids, _ in bench.refreshes][3:] == [{1}]
    bench.loader.forget_link()
    assert not bench.clock.getDelayedCalls()


def test_a_refresh_may_fail_for_any_reason(bench: Bench, expected_failures: list[LogEvent]) -> None:
    """It is logged, and the next one is made."""
    bench.load(Link())
    bench.loader.outdated([1])
    bench.loader.refresh()
    bench.refreshes[0][1].errback(ZeroDivisionError())
    assert len(expected_failures) == 1
    expected_failures.clear()
    bench.loader.outdated([1])
    bench.loader.refresh()
    bench.clock.advance(RELOAD_EVERY_S)
    assert len(bench.refreshes) == 2
    bench.loader.forget_link()


def test_invented_ids_are_bounded(bench: Bench) -> None:
    """One stands for all that are unknown."""
    bench.load(Link())
    bench.loader.table.by_id = dict.fromkeys((1, 2, 3))  # type: ignore[arg-type]
    bench.loader.outdated([2])
    bench.loader.outdated(range(1000, 1001 + 2 * MAX_SYMBOLS))
    bench.loader.refresh()
    ((ids, _),) = bench.refreshes
    assert 2 in ids and len(ids) == 2
    bench.loader.forget_link()


@pytest.mark.parametrize("answer", [True, LinkLost("lost")])
def test_a_refresh_of_a_connection_that_is_gone_is_void(bench: Bench, answer: Any) -> None:
    """Its answer is ignored, whatever it is."""
    bench.load(Link())
    bench.loader.outdated([1])
    bench.loader.refresh()
    bench.loader.forget_link()
    ((_, refresh),) = bench.refreshes
    refresh.callback(answer) if answer is True else refresh.errback(answer)
    assert bench.events == ["loaded"]
