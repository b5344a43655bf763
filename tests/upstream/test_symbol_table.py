"""The symbol table under a hostile server: whatever Protobuf it answers, nothing raises here or in any later use."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tests.support.browser import Server
from tests.support.v1 import JSON
from tickrelay.downstream.diagnostics import symbol_info
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAssetClassListRes,
    ProtoOAAssetListRes,
    ProtoOASymbolByIdRes,
    ProtoOASymbolCategoryListRes,
    ProtoOASymbolsListRes,
)
from tickrelay.upstream.liveness import DataClock
from tickrelay.upstream.symbol_table import SymbolTable
from tickrelay.wire.messages import Symbols

INT64 = st.sampled_from([0, 1, -1, 2, 3, 2**53, 2**63 - 1, -(2**63), 1_763_985_600_000]) | st.integers(
    -(2**63), 2**63 - 1
)
INT32 = st.sampled_from([0, 1, -1, 5, 86_399, 2**31 - 1, -(2**31)]) | st.integers(-(2**31), 2**31 - 1)
UINT32 = st.sampled_from([0, 1, 604_800, 2**32 - 1]) | st.integers(0, 2**32 - 1)
IDS = st.integers(1, 3) | st.sampled_from([1, 2, 3, 0, -1, 2**53, 2**63 - 1, -(2**63)])
TEXT = st.sampled_from(["", "EURUSD", "a\nb", "\x1b[2J", "\u202e", "\u2028", "%d", "{x}", "*", "x" * 400]) | st.text(
    max_size=9
)
ZONES = st.sampled_from(["", "UTC", "Europe/Moscow", "../../etc/passwd", "/etc/passwd", "Nowhere", "America"]) | TEXT


def a_list(
    made: type[Any], items_name: str, id_name: str, /, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """Answers with up to four items."""
    items = st.lists(st.fixed_dictionaries({id_name: IDS, **fields}), min_size=1, max_size=4)
    return items.map(lambda given: made(**{items_name: given}))


INTERVALS = st.lists(st.fixed_dictionaries({"startSecond": UINT32, "endSecond": UINT32}), max_size=3)
HOLIDAYS = st.lists(
    st.fixed_dictionaries(
        {"holidayDate": INT64, "isRecurring": st.booleans(), "scheduleTimeZone": ZONES},
        optional={"startSecond": INT32, "endSecond": INT32},
    ),
    max_size=3,
)
ANSWERS = {
    ProtoOASymbolsListRes: a_list(
        ProtoOASymbolsListRes, "symbol", "symbolId", symbolName=TEXT, enabled=st.booleans(), description=TEXT,
        baseAssetId=IDS, quoteAssetId=IDS, symbolCategoryId=IDS, sortingNumber=st.floats(),
    ),
    ProtoOASymbolByIdRes: a_list(
        ProtoOASymbolByIdRes, "symbol", "symbolId", digits=INT32, pipPosition=INT32, schedule=INTERVALS,
        scheduleTimeZone=ZONES, holiday=HOLIDAYS,
    ),
    ProtoOAAssetListRes: a_list(ProtoOAAssetListRes, "asset", "assetId", name=TEXT, displayName=TEXT),
    ProtoOAAssetClassListRes: a_list(ProtoOAAssetClassListRes, "assetClass", "id", name=TEXT),
    ProtoOASymbolCategoryListRes: a_list(
        ProtoOASymbolCategoryListRes, "symbolCategory", "id", assetClassId=IDS, name=TEXT
    ),
}  # fmt: skip
PRICES = st.sampled_from([0, 1, 108_567, 2**63, 2**64 - 1])


class HostileLink:
    """Answers every request from *answers*."""

    def __init__(self, answers: dict[type, Any]) -> None:
        self._answers = answers

    def request(self, request: object, answer: type) -> "Deferred[Any]":
        """The answer, over the wire."""
        return succeed(answer.FromString(self._answers[answer].SerializePartialToString()))  # type: ignore[attr-defined]


@settings(deadline=None, max_examples=150)
@given(st.fixed_dictionaries(ANSWERS), st.lists(st.tuples(PRICES, PRICES, INT64), max_size=3))
def test_no_answer_raises_anywhere(answers: dict[type, Any], spots: list[tuple[int, int, int]]) -> None:
    """Loaded, refreshed, listed, explained, judged, and sent to clients of each encoding."""
    link: Any = HostileLink(answers)
    table = SymbolTable()
    failures: list[Any] = []
    Deferred.fromCoroutine(table.load(link, 1)).addErrback(failures.append)
    Deferred.fromCoroutine(table.refresh(link, 1, {1, 2, 7})).addErrback(failures.append)
    assert not failures
    clock = Clock()
    server = Server(clock)
    server.symbols = list(table.symbols())
    server.go_live()
    client = server.browser(JSON)
    client.say({"type": "connect", "features": ["marketState", "gap", "notice"]})
    client.say({"type": "subscribe", "symbols": [symbol.name for symbol in server.symbols], "snapshot": True})
    for symbol in server.symbols:
        client.say({"type": "explain", "symbol": symbol.name})
        for encoding in server.hub.fanout.groups:
            if encoding.version:
                encoding.message(Symbols(symbols=[symbol_info(symbol, 0)], timestamp=0))
        for bid, ask, source_ms in spots:
            server.hub.spot(symbol.symbol_id, bid, ask, source_ms)
            channel = server.hub.channels.get(symbol.name)
            if channel is not None and channel.last is not None:
                for encoding in server.hub.fanout.groups:
                    assert encoding.tick(channel.last) and encoding.snapshot(channel.last, 5)
    client.say({"type": "getSymbols"})
    clock.advance(1)
    for _ in range(6):
        server.factory.jobs.run()
    assert not any(server.factory.jobs.errors.values())
    assert client.hear() and client.transport.connected
    DataClock().check(99.0, 1_764_000_000.0, dict.fromkeys(table.by_id, 1.0), {}, table.by_id)
