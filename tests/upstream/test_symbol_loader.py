"""The symbol table, kept up to date across events, losses and connections."""

from collections.abc import Iterable
from typing import Any

import pytest

from twisted.internet.defer import Deferred

from tickrelay.upstream.errors import LinkLost, OpenApiError
from tickrelay.upstream.symbol_loader import SymbolLoader
from tickrelay.upstream.symbol_table import SymbolTable


class Link:
    """Stands for a connection; only its identity matters."""


class Bench:
    """A loader, its owner, and the requests of its tables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loader = SymbolLoader(1, self)
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
        bench.loader.refresh()
        assert [ids for ids, _ in bench.refreshes] == ([{7}] if again else [])
        if again:
            bench.refreshes.pop()[1].callback(False)


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
