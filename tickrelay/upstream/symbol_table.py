"""The symbol table: every symbol of the account, by name and by id, as one session sees it.

Ids belong to a broker's server and are good for one session; clients use names. The list brings the names,
`ProtoOASymbolByIdReq` the digits and the trading hours, a hundred ids a request.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.model.schedule import DAY_S, FIRST_DAY, LAST_DAY, Holiday, Schedule
from tickrelay.model.ticks import Symbol
from tickrelay.openapi.frames import text
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAssetClassListReq,
    ProtoOAAssetClassListRes,
    ProtoOAAssetListReq,
    ProtoOAAssetListRes,
    ProtoOASymbolByIdReq,
    ProtoOASymbolByIdRes,
    ProtoOASymbolCategoryListReq,
    ProtoOASymbolCategoryListRes,
    ProtoOASymbolsListReq,
    ProtoOASymbolsListRes,
)
from tickrelay.openapi.model_pb2 import ProtoOAHoliday, ProtoOALightSymbol, ProtoOASymbol, ProtoOATradingMode
from tickrelay.upstream.errors import OpenApiError, RequestTimeout
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import SESSION_WIDE, reaction

M = TypeVar("M", bound=Message)

BATCH = 100
"""Ids in one request; no limit is documented, other clients of the Open API send as many."""

_log = Logger()


def batches(ids: Iterable[int], size: int = BATCH) -> list[list[int]]:
    """*ids* in lists of at most *size*."""
    every = list(ids)
    return [every[i : i + size] for i in range(0, len(every), size)]


class SymbolTable:
    """The account's symbols in one session; filled by `load`, brought up to date by `refresh`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Symbol] = {}
        self.by_id: dict[int, Symbol] = {}
        self._light: dict[int, ProtoOALightSymbol] = {}
        self._full: dict[int, ProtoOASymbol] = {}
        self._categories: Mapping[int, tuple[str, str]] = {}
        self._assets: Mapping[int, str] = {}

    def symbols(self) -> Sequence[Symbol]:
        """Every symbol, in the order of the server's list."""
        return list(self.by_id.values())

    async def load(self, link: OpenApiProtocol, account_id: int) -> None:
        """Ask for everything. Raises UpstreamError where the list or the symbols are refused or late."""
        listed, assets, classes, categories = await _all(
            [
                link.request(ProtoOASymbolsListReq(ctidTraderAccountId=account_id), ProtoOASymbolsListRes),
                _optional(link.request(ProtoOAAssetListReq(ctidTraderAccountId=account_id), ProtoOAAssetListRes)),
                _optional(
                    link.request(ProtoOAAssetClassListReq(ctidTraderAccountId=account_id), ProtoOAAssetClassListRes)
                ),
                _optional(
                    link.request(
                        ProtoOASymbolCategoryListReq(ctidTraderAccountId=account_id), ProtoOASymbolCategoryListRes
                    )
                ),
            ]
        )
        self._assets = {a.assetId: text(a.displayName or a.name) for a in assets.asset} if assets else {}
        class_names = {c.id: text(c.name) for c in classes.assetClass} if classes else {}
        self._categories = (
            {c.id: (text(c.name), class_names.get(c.assetClassId, "")) for c in categories.symbolCategory}
            if categories
            else {}
        )
        self._light = {light.symbolId: light for light in listed.symbol}
        self._full = {}
        await self._fetch(link, account_id, self._light)
        self._index()

    async def refresh(self, link: OpenApiProtocol, account_id: int, ids: Iterable[int]) -> bool:
        """Ask again for the symbols with these *ids*; for the whole list where one is new. True: something changed.

        Raises UpstreamError; the table then is as it was, but for a list that was read already.
        """
        wanted = set(ids)
        if not wanted <= self._light.keys():
            listed = await link.request(ProtoOASymbolsListReq(ctidTraderAccountId=account_id), ProtoOASymbolsListRes)
            fresh = {light.symbolId: light for light in listed.symbol}
            wanted = (wanted | (fresh.keys() - self._light.keys())) & fresh.keys()
            self._light = fresh
        before = dict(self.by_name)
        await self._fetch(link, account_id, wanted)
        self._index()
        return before != self.by_name

    async def _fetch(self, link: OpenApiProtocol, account_id: int, ids: Iterable[int]) -> None:
        answers = await _all(
            [
                link.request(ProtoOASymbolByIdReq(ctidTraderAccountId=account_id, symbolId=batch), ProtoOASymbolByIdRes)
                for batch in batches(ids)
            ]
        )
        # By id, never by position: archived and unknown ids are missing from the answer.
        for answer in answers:
            self._full.update((symbol.symbolId, symbol) for symbol in answer.symbol)

    def _index(self) -> None:
        self.by_name, self.by_id = {}, {}
        schedules: dict[Schedule, Schedule] = {}
        for symbol_id, light in self._light.items():
            name = text(light.symbolName)
            if not name:
                continue
            if name in self.by_name:
                _log.warn("two symbols are called {name}: the first one is kept", name=name)
                continue
            category, asset_class = self._categories.get(light.symbolCategoryId, ("", ""))
            symbol = make_symbol(
                light,
                self._full.get(symbol_id),
                category=category,
                asset_class=asset_class,
                base=self._assets.get(light.baseAssetId, ""),
                quote=self._assets.get(light.quoteAssetId, ""),
                schedules=schedules,
            )
            self.by_name[name] = self.by_id[symbol_id] = symbol


def _all(answers: "list[Deferred[Any]]") -> "Deferred[list[Any]]":
    """Wait for every answer; fails with the first error itself, where gatherResults wraps it in FirstError."""

    def unwrap(failure: Failure) -> Failure:
        return failure.value.subFailure if isinstance(failure.value, FirstError) else failure

    return gatherResults(answers, consumeErrors=True).addErrback(unwrap)


def _optional(answer: "Deferred[M]") -> "Deferred[M | None]":
    """The answer, or None where the server does not give it: names of assets and categories are optional."""

    def forgive(failure: Failure) -> None:
        failure.trap(OpenApiError, RequestTimeout)
        error = failure.value
        if isinstance(error, OpenApiError) and reaction(error) in SESSION_WIDE:
            raise error
        _log.info("going on without: {error}", error=str(error))

    return answer.addErrback(forgive)


def make_symbol(
    light: ProtoOALightSymbol,
    full: ProtoOASymbol | None,
    *,
    category: str = "",
    asset_class: str = "",
    base: str = "",
    quote: str = "",
    schedules: dict[Schedule, Schedule] | None = None,
) -> Symbol:
    """A Symbol from the server's two messages about it; fields that are absent get the Symbol's defaults.

    *schedules*: those made so far; equal ones become the same object, which is looked at once for all its symbols.
    """
    schedule = make_schedule(full) if full is not None else Schedule()
    if schedules is not None:
        schedule = schedules.setdefault(schedule, schedule)
    known = {}
    if full is not None:
        known = {"digits": min(max(full.digits, 0), 5), "pip_position": full.pipPosition}
    return Symbol(
        symbol_id=light.symbolId,
        name=text(light.symbolName),
        description=text(light.description),
        category=category,
        asset_class=asset_class,
        base=base,
        quote=quote,
        enabled=light.enabled if light.HasField("enabled") else True,
        schedule=schedule,
        **known,
    )


def make_schedule(full: ProtoOASymbol) -> Schedule:
    """The trading hours of a symbol; holidays whose date is none are left out."""
    return Schedule(
        intervals=tuple((i.startSecond, i.endSecond) for i in full.schedule),
        zone_name=text(full.scheduleTimeZone),
        # A date beyond year 9999 (such as milliseconds in place of days) would raise OverflowError in every check.
        holidays=tuple(_holiday(holiday) for holiday in full.holiday if FIRST_DAY <= holiday.holidayDate <= LAST_DAY),
        # In close-only mode positions can only be closed, but quotes flow.
        disabled=full.tradingMode not in (ProtoOATradingMode.ENABLED, ProtoOATradingMode.CLOSE_ONLY_MODE),
    )


def _holiday(holiday: ProtoOAHoliday) -> Holiday:
    return Holiday(
        day=holiday.holidayDate,
        recurring=holiday.isRecurring,
        start_s=holiday.startSecond,
        end_s=holiday.endSecond if holiday.HasField("endSecond") else DAY_S,
        zone_name=text(holiday.scheduleTimeZone),
    )
