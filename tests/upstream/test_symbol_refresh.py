"""What a refresh of a large symbol table makes anew."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from tickrelay.openapi.messages_pb2 import (
    ProtoOAAssetClassListRes,
    ProtoOAAssetListRes,
    ProtoOASymbolByIdRes,
    ProtoOASymbolCategoryListRes,
    ProtoOASymbolsListRes,
)
from tickrelay.upstream.symbol_table import SymbolTable


class Link:
    """Answers at once; the symbols asked for by id have the digits that the test sets."""

    def __init__(self) -> None:
        self.digits = 5
        self.names = {1: "EURUSD", 2: "GBPUSD", 3: "USDJPY"}

    def request(self, request: Any, answer: type) -> "Deferred[Any]":
        """As a server would."""
        made: Any = answer()
        if isinstance(made, ProtoOASymbolsListRes):
            for symbol_id, name in self.names.items():
                made.symbol.add(symbolId=symbol_id, symbolName=name)
        elif isinstance(made, ProtoOASymbolByIdRes):
            for symbol_id in request.symbolId:
                made.symbol.add(symbolId=symbol_id, digits=self.digits, pipPosition=4)
        else:
            assert isinstance(made, (ProtoOAAssetListRes, ProtoOAAssetClassListRes, ProtoOASymbolCategoryListRes))
        return succeed(made)


def done(coroutine: Any) -> Any:
    """The result of a coroutine that does not wait."""
    return Deferred.fromCoroutine(coroutine).result


def test_only_what_changed_is_made_anew() -> None:
    """One symbol of fifty thousand changes every second: the others stay the same objects."""
    table, link = SymbolTable(), Link()
    done(table.load(link, 1))  # type: ignore[arg-type]
    before = dict(table.by_name)
    link.digits = 3
    assert done(table.refresh(link, 1, [2])) is True  # type: ignore[arg-type]
    assert [table.by_name[name] is symbol for name, symbol in before.items()] == [True, False, True]
    assert table.by_name["GBPUSD"].digits == 3 and table.by_id[2] is table.by_name["GBPUSD"]


def test_a_name_that_moves_to_another_id_is_made_anew() -> None:
    """Nothing of the symbol that had the id before is left."""
    table, link = SymbolTable(), Link()
    done(table.load(link, 1))  # type: ignore[arg-type]
    link.names = {1: "GBPUSD", 2: "EURUSD", 4: "XAUUSD"}
    assert done(table.refresh(link, 1, [4])) is True  # type: ignore[arg-type]
    assert {name: symbol.symbol_id for name, symbol in table.by_name.items()} == {"GBPUSD": 1, "EURUSD": 2, "XAUUSD": 4}
    assert all(symbol.name == name for name, symbol in table.by_name.items())


def test_each_answer_is_read_when_it_comes() -> None:
    """Fifty thousand symbols are five hundred answers: no turn of the reactor reads more than one."""
    table, link = SymbolTable(), Link()
    link.names = {number: f"NAME{number}" for number in range(1, 251)}
    waiting: list[tuple[Any, Deferred[Any]]] = []
    at_once = link.request

    def request(request: Any, answer: type) -> "Deferred[Any]":
        if answer is not ProtoOASymbolByIdRes:
            return at_once(request, answer)
        waiting.append((request, Deferred()))
        return waiting[-1][1]

    link.request = request  # type: ignore[method-assign]
    loading = Deferred.fromCoroutine(table.load(link, 1))  # type: ignore[arg-type]
    read = []
    for asked, deferred in waiting:
        at_once(asked, ProtoOASymbolByIdRes).chainDeferred(deferred)
        read.append(len(table._details))
    assert read == [100, 200, 250] and loading.called and len(table.by_id) == 250
