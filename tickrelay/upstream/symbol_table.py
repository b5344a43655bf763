"""The symbol table: every symbol of the account, by name and by id, as one session sees it.

Ids belong to a broker's server and are good for one session; clients use names. The list brings the names,
`ProtoOASymbolByIdReq` the digits and the trading hours, a hundred ids a request.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from google.protobuf.message import Message

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.model.ticks import Symbol
from tickrelay.openapi.frames import clean
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
from tickrelay.upstream.errors import OpenApiError, RequestTimeout
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import SESSION_WIDE, reaction
from tickrelay.upstream.symbol_values import (
    MAX_NAME_CHARACTERS,
    MAX_SYMBOLS,
    UNKNOWN,
    Details,
    DetailsMaker,
    Listed,
    make_listed,
    make_symbol,
)

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
        self._listed: dict[int, Listed] = {}
        self._details: dict[int, Details] = {}
        self._made: dict[int, tuple[Listed, Details, Symbol]] = {}
        """Each symbol and what it was made of: of 50,000 only those that changed are made anew."""
        self._make_details = DetailsMaker().make
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
        self._listed = make_listed(listed.symbol)
        self._assets = {a.assetId: _name(a.displayName or a.name) for a in _first(assets.asset)} if assets else {}
        class_names = {c.id: _name(c.name) for c in _first(classes.assetClass)} if classes else {}
        self._categories = (
            {c.id: (_name(c.name), class_names.get(c.assetClassId, "")) for c in _first(categories.symbolCategory)}
            if categories
            else {}
        )
        self._details = {}
        await self._fetch(link, account_id, self._listed)
        self._index()

    async def refresh(self, link: OpenApiProtocol, account_id: int, ids: Iterable[int]) -> bool:
        """Ask again for the symbols with these *ids*; for the whole list where one is new. True: something changed.

        Raises UpstreamError; the table then is as it was, but for what was read already.
        """
        wanted = set(ids)
        if not wanted <= self._listed.keys():
            listed = await link.request(ProtoOASymbolsListReq(ctidTraderAccountId=account_id), ProtoOASymbolsListRes)
            fresh = make_listed(listed.symbol)
            wanted = (wanted | (fresh.keys() - self._listed.keys())) & fresh.keys()
            self._listed = fresh
            self._details = {i: details for i, details in self._details.items() if i in fresh}
        before = dict(self.by_name)
        await self._fetch(link, account_id, wanted)
        self._index()
        return before != self.by_name

    async def _fetch(self, link: OpenApiProtocol, account_id: int, ids: Iterable[int]) -> None:
        # Each answer is read when it comes: all of them in one turn would take the reactor a second or two.
        await _all(
            [
                link.request(
                    ProtoOASymbolByIdReq(ctidTraderAccountId=account_id, symbolId=batch), ProtoOASymbolByIdRes
                ).addCallback(self._take_details)
                for batch in batches(ids)
            ]
        )

    def _take_details(self, answer: ProtoOASymbolByIdRes) -> None:
        # By id, never by position: archived and unknown ids are missing from the answer. Others than those that were
        # asked for are left out: their number has no bound.
        for full in answer.symbol:
            if full.symbolId in self._listed:
                self._details[full.symbolId] = self._make_details(full)

    def _index(self) -> None:
        before, self._made = self._made, {}
        self.by_name, self.by_id = {}, {}
        doubles: list[str] = []
        for symbol_id, listed in self._listed.items():
            if listed.name in self.by_name:
                doubles.append(listed.name)
                continue
            details = self._details.get(symbol_id, UNKNOWN)
            made = before.get(symbol_id)
            if made is None or made[0] is not listed or made[1] is not details:
                made = listed, details, self._make_symbol(listed, details)
            self._made[symbol_id] = made
            self.by_name[listed.name] = self.by_id[symbol_id] = made[2]
        if doubles:
            _log.warn(
                "two symbols are called {name}, the first one is kept ({count} such names)",
                name=doubles[0],
                count=len(doubles),
            )

    def _make_symbol(self, listed: Listed, details: Details) -> Symbol:
        category, asset_class = self._categories.get(listed.category_id, ("", ""))
        return make_symbol(
            listed,
            details,
            category=category,
            asset_class=asset_class,
            base=self._assets.get(listed.base_id, ""),
            quote=self._assets.get(listed.quote_id, ""),
        )


def _first(items: Iterable[M]) -> Iterable[M]:
    """As many as there may be symbols."""
    return islice(items, MAX_SYMBOLS)


def _name(value: str | bytes) -> str:
    return clean(value, MAX_NAME_CHARACTERS)


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
