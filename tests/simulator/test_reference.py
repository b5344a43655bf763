"""Symbols, categories, assets and accounts as the simulator describes them."""

from collections.abc import Callable
from typing import Any

from tests.support.broker import APPLICATION, Broker, Peer
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountLogoutReq,
    ProtoOAAccountLogoutRes,
    ProtoOAAssetClassListReq,
    ProtoOAAssetListReq,
    ProtoOAGetAccountListByAccessTokenReq,
    ProtoOAGetCtidProfileByTokenReq,
    ProtoOAReconcileReq,
    ProtoOASymbolByIdReq,
    ProtoOASymbolCategoryListReq,
    ProtoOASymbolsForConversionReq,
    ProtoOASymbolsListReq,
    ProtoOATraderReq,
)
from tickrelay.simulator.settings import AccountSettings, UserSettings

A: dict[str, Any] = {"ctidTraderAccountId": 1001}


def test_about_sixty_symbols_of_all_kinds(trader: Peer) -> None:
    """Light symbols with names and categories; one is disabled; archived ones only on request."""
    answer = trader.ask(ProtoOASymbolsListReq(**A))
    names = {symbol.symbolName: symbol for symbol in answer.symbol}
    assert len(names) == 65
    assert {"EURUSD", "USDJPY", "EURJPY", "XAUUSD", "US500", "BTCUSD"} <= set(names)
    assert (names["EURUSD"].symbolId, names["XAUUSD"].symbolId) == (1, 41)
    assert [symbol.symbolName for symbol in answer.symbol if not symbol.enabled] == ["USDRUB"]
    assert not answer.archivedSymbol
    assert trader.ask(ProtoOASymbolsListReq(**A, includeArchivedSymbols=True)).archivedSymbol


def test_full_symbols(trader: Peer) -> None:
    """Digits from 0 to 5, a schedule, defaults set explicitly; archived apart, unknown missing."""
    answer = trader.ask(ProtoOASymbolByIdReq(**A, symbolId=[*range(1, 66), 1065, 4711]))
    assert len(answer.symbol) == 65
    assert {symbol.digits for symbol in answer.symbol} == {0, 1, 2, 3, 4, 5}
    assert [symbol.symbolId for symbol in answer.archivedSymbol] == [1065]
    for symbol in answer.symbol:
        assert symbol.HasField("slDistance") and symbol.HasField("measurementUnits")
        assert symbol.schedule
    euro = next(symbol for symbol in answer.symbol if symbol.symbolId == 1)
    assert (euro.digits, euro.pipPosition) == (5, 4)


def test_real_trading_hours_and_holidays(make_broker: Callable[..., Broker]) -> None:
    """By a setting each kind of symbol has its hours; crypto is open all week."""
    peer = make_broker(settings={"schedule": "real"}).connect()
    peer.log_in()
    symbols = {s.symbolId: s for s in peer.ask(ProtoOASymbolByIdReq(**A, symbolId=[1, 52, 59])).symbol}
    assert next((i.startSecond, i.endSecond) for i in symbols[1].schedule) == (61_500, 147_300)
    assert symbols[1].scheduleTimeZone == "America/New_York"
    assert "Christmas Day" in {holiday.name for holiday in symbols[52].holiday}
    assert [(i.startSecond, i.endSecond) for i in symbols[59].schedule] == [(0, 604_800)]


def test_categories_classes_and_assets_join_up(trader: Peer) -> None:
    """Every symbol's category, its class, and both its assets exist."""
    symbols = trader.ask(ProtoOASymbolsListReq(**A)).symbol
    categories = {c.id: c for c in trader.ask(ProtoOASymbolCategoryListReq(**A)).symbolCategory}
    classes = {c.id for c in trader.ask(ProtoOAAssetClassListReq(**A)).assetClass}
    assets = {a.assetId for a in trader.ask(ProtoOAAssetListReq(**A)).asset}
    for symbol in symbols:
        assert categories[symbol.symbolCategoryId].assetClassId in classes
        assert {symbol.baseAssetId, symbol.quoteAssetId} <= assets


def test_conversion(trader: Peer) -> None:
    """One symbol where there is one, two through the dollar otherwise, else a refusal."""
    ids = {a.name: a.assetId for a in trader.ask(ProtoOAAssetListReq(**A)).asset}

    def chain(one: str, other: str) -> Any:
        ask = ProtoOASymbolsForConversionReq(**A, firstAssetId=ids[one], lastAssetId=ids[other])
        return trader.ask(ask)

    assert [s.symbolName for s in chain("EUR", "USD").symbol] == ["EURUSD"]
    assert [s.symbolName for s in chain("SEK", "JPY").symbol] == ["USDSEK", "USDJPY"]
    assert [s.symbolName for s in chain("US500", "BTC").symbol] == ["US500", "BTCUSD"]
    ids["nothing"] = 4711
    assert chain("EUR", "nothing").errorCode == "ENTITY_NOT_FOUND"


def test_account_list(peer: Peer) -> None:
    """Live and demo accounts of the grant, with the scope; served before any account is open."""
    peer.ask(APPLICATION)
    answer = peer.ask(ProtoOAGetAccountListByAccessTokenReq(accessToken="sim-token"))
    assert [(a.ctidTraderAccountId, a.isLive) for a in answer.ctidTraderAccount] == [
        (1001, False),
        (1002, False),
        (2001, True),
    ]
    assert answer.permissionScope == 0
    assert peer.ask(ProtoOAGetAccountListByAccessTokenReq(accessToken="x")).errorCode == "CH_ACCESS_TOKEN_INVALID"
    assert peer.ask(ProtoOAGetCtidProfileByTokenReq(accessToken="sim-token")).profile.userId == 1


def test_other_users(make_broker: Callable[..., Broker]) -> None:
    """Each token opens accounts of its own, with its own scope; a token may be expired from the start."""
    users = (
        UserSettings(access_token="other", accounts=(AccountSettings(account_id=7),)),
        UserSettings(access_token="old", accounts=(AccountSettings(account_id=8),), expired=True),
    )
    peer = make_broker(settings={"users": users}).connect()
    peer.ask(APPLICATION)
    answer = peer.ask(ProtoOAGetAccountListByAccessTokenReq(accessToken="other"))
    assert [a.ctidTraderAccountId for a in answer.ctidTraderAccount] == [7]
    assert answer.permissionScope == 1
    assert peer.ask(ProtoOAGetAccountListByAccessTokenReq(accessToken="old")).description == "Access token expired"


def test_trader_and_reconcile(trader: Peer) -> None:
    """An account with a balance and no positions."""
    assert trader.ask(ProtoOATraderReq(**A)).trader.balance
    assert not trader.ask(ProtoOAReconcileReq(**A)).position


def test_logout(broker: Broker, trader: Peer) -> None:
    """The answer, then the event; the account's ticks stop and the connection stays open."""
    trader.subscribe(1)
    trader.take()
    trader.send(ProtoOAAccountLogoutReq(**A), "m")
    assert [type(m) for m in trader.messages()] == [ProtoOAAccountLogoutRes, ProtoOAAccountDisconnectEvent]
    broker.run(5)
    assert not trader.spots()
    assert not trader.wire.ended()
