"""Answers about what can be traded: symbols, categories, asset classes, assets; and about the trader."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from tickrelay.openapi.messages_pb2 import (
    ProtoOAAssetClassListReq,
    ProtoOAAssetClassListRes,
    ProtoOAAssetListReq,
    ProtoOAAssetListRes,
    ProtoOASymbolByIdReq,
    ProtoOASymbolByIdRes,
    ProtoOASymbolCategoryListReq,
    ProtoOASymbolCategoryListRes,
    ProtoOASymbolsForConversionReq,
    ProtoOASymbolsForConversionRes,
    ProtoOASymbolsListReq,
    ProtoOASymbolsListRes,
    ProtoOATraderReq,
    ProtoOATraderRes,
)
from tickrelay.openapi.model_pb2 import ProtoOATrader
from tickrelay.simulator.answers.authority import check_account
from tickrelay.simulator.market.source import asset_ids, between
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.session import Session


def symbols_list(session: Session, request: ProtoOASymbolsListReq) -> Sequence[Message]:
    """The light symbols. Archived ones come in a list of their own, on request only."""
    account_id = request.ctidTraderAccountId
    check_account(session, account_id)
    catalogue = session.broker.catalogue
    answer = ProtoOASymbolsListRes(ctidTraderAccountId=account_id, symbol=catalogue.light_symbols)
    if request.includeArchivedSymbols:
        answer.archivedSymbol.extend(catalogue.archived)
    return [answer]


def symbol_by_id(session: Session, request: ProtoOASymbolByIdReq) -> Sequence[Message]:
    """The full symbols that are known, in the catalogue's order; archived ids come apart, unknown ones are missing."""
    account_id = request.ctidTraderAccountId
    check_account(session, account_id)
    broker, wanted = session.broker, set(request.symbolId)
    return [
        ProtoOASymbolByIdRes(
            ctidTraderAccountId=account_id,
            symbol=broker.full_symbols(wanted),
            archivedSymbol=[symbol for symbol in broker.catalogue.archived if symbol.symbolId in wanted],
        )
    ]


def symbols_for_conversion(session: Session, request: ProtoOASymbolsForConversionReq) -> Sequence[Message]:
    """The chain of symbols from one asset to another: one symbol, or two by way of the dollar."""
    account_id = request.ctidTraderAccountId
    check_account(session, account_id)
    catalogue = session.broker.catalogue
    first, last, dollar = request.firstAssetId, request.lastAssetId, asset_ids(catalogue).get("USD", 0)
    for path in (((first, last),), ((first, dollar), (dollar, last))):
        chain = [symbol for one, other in path if (symbol := between(catalogue, one, other))]
        if len(chain) == len(path):
            return [ProtoOASymbolsForConversionRes(ctidTraderAccountId=account_id, symbol=chain)]
    raise RequestRefused("ENTITY_NOT_FOUND", "No conversion chain", account_id=account_id)


def category_list(session: Session, request: ProtoOASymbolCategoryListReq) -> Sequence[Message]:
    """The categories of symbols."""
    check_account(session, request.ctidTraderAccountId)
    return [
        ProtoOASymbolCategoryListRes(
            ctidTraderAccountId=request.ctidTraderAccountId, symbolCategory=session.broker.catalogue.categories
        )
    ]


def asset_class_list(session: Session, request: ProtoOAAssetClassListReq) -> Sequence[Message]:
    """The classes that the categories belong to."""
    check_account(session, request.ctidTraderAccountId)
    return [
        ProtoOAAssetClassListRes(
            ctidTraderAccountId=request.ctidTraderAccountId, assetClass=session.broker.catalogue.asset_classes
        )
    ]


def asset_list(session: Session, request: ProtoOAAssetListReq) -> Sequence[Message]:
    """The assets that symbols are made of."""
    check_account(session, request.ctidTraderAccountId)
    return [ProtoOAAssetListRes(ctidTraderAccountId=request.ctidTraderAccountId, asset=session.broker.catalogue.assets)]


def trader(session: Session, request: ProtoOATraderReq) -> Sequence[Message]:
    """The trader's account: a balance that never changes, for this server does not trade."""
    account_id = request.ctidTraderAccountId
    check_account(session, account_id)
    account = session.accounts[account_id].accounts[account_id]
    return [
        ProtoOATraderRes(
            ctidTraderAccountId=account_id,
            trader=ProtoOATrader(
                ctidTraderAccountId=account_id,
                balance=1_000_000,
                depositAssetId=asset_ids(session.broker.catalogue).get("USD", 1),
                leverageInCents=10_000,
                traderLogin=account.login or 5_000_000 + account_id,
                brokerName="Simulated",
                moneyDigits=2,
            ),
        )
    ]


ANSWERS: dict[type[Message], Any] = {
    ProtoOASymbolsListReq: symbols_list,
    ProtoOASymbolByIdReq: symbol_by_id,
    ProtoOASymbolsForConversionReq: symbols_for_conversion,
    ProtoOASymbolCategoryListReq: category_list,
    ProtoOAAssetClassListReq: asset_class_list,
    ProtoOAAssetListReq: asset_list,
    ProtoOATraderReq: trader,
}
