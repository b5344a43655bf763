"""Messages that answer no request (lost sessions, changed symbols, trading events), and the scope of the token."""

from collections.abc import Callable

from twisted.logger import LogEvent

from tests.support.rig import Rig
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOAExecutionEvent,
    ProtoOASymbolChangedEvent,
    ProtoOATraderUpdatedEvent,
)

LOGGED_OUT = ProtoOAAccountDisconnectEvent(ctidTraderAccountId=1001)


def test_client_disconnect(rig: Rig) -> None:
    """The application's session has ended: the session closes the connection and makes a new one."""
    rig.go_live("EURUSD")
    rig.inject(ProtoOAClientDisconnectEvent(reason="Server restart"))
    assert rig.status == "disconnected" and "Server restart" in rig.message
    rig.until(lambda: rig.state == "live")
    assert len(rig.net.connections) == 2 and rig.upstream_set() == {"EURUSD"}


def test_account_disconnect(rig: Rig) -> None:
    """The account is authorised again on the same connection and all is subscribed again; the gap is reported."""
    rig.go_live("EURUSD", "XAUUSD")
    rig.listener.events.clear()
    rig.log_out(LOGGED_OUT)
    rig.until(lambda: rig.state != "live")
    rig.until(lambda: rig.state == "live", 1)
    assert len(rig.net.connections) == 1
    assert rig.upstream_set() == {"EURUSD", "XAUUSD"}
    assert rig.listener.events[0] == ("lost", "account-disconnect", None)
    assert [e for e in rig.listener.events if e[0] == "symbols"] == [], "the ids hold"
    assert len(rig.sent("ProtoOAAccountAuthReq")) == 2


def test_account_disconnect_of_another_account(rig: Rig) -> None:
    """Events of other accounts are ignored."""
    rig.go_live("EURUSD")
    rig.inject(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=77))
    rig.inject(ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[77], reason="x"))
    rig.run(1)
    assert rig.state == "live" and rig.counters.account_losses == 0


def test_account_disconnect_over_and_over(rig: Rig) -> None:
    """An account that is logged out again and again: a new connection with backoff, no tight loop."""
    rig.go_live("EURUSD")

    for _ in range(10):
        rig.log_out(LOGGED_OUT)
        rig.run(0.5)
    assert 2 <= len(rig.net.connections) <= 5
    assert len(rig.sent("ProtoOAAccountAuthReq")) <= 12
    rig.until(lambda: rig.state == "live", 100)
    rig.run(1)
    assert rig.upstream_set() == {"EURUSD"}


def test_a_request_refused_as_not_authorized(rig: Rig) -> None:
    """The account's session ended without an event: the refusal of the next request starts its authorisation."""
    rig.go_live("EURUSD")
    rig.log_out()
    rig.service.want("GBPUSD")
    rig.until(lambda: rig.upstream_set() == {"EURUSD", "GBPUSD"}, 5)
    assert len(rig.net.connections) == 1 and rig.state in ("restoring", "live")


def test_an_account_that_was_not_lost_after_all(rig: Rig) -> None:
    """Authorised again though its session was valid: symbols that are no longer wanted are unsubscribed."""
    rig.go_live("EURUSD", "GBPUSD")
    rig.service.unwant("GBPUSD")
    rig.refuse("ProtoOAUnsubscribeSpotsReq", "ACCOUNT_NOT_AUTHORIZED")
    rig.run(31, 0.1)
    rig.refuse("ProtoOAUnsubscribeSpotsReq", "")
    rig.run(100, 0.1)
    assert rig.counters.account_losses > 0
    assert rig.upstream_set() == {"EURUSD"} and rig.state == "live"


def test_symbol_changed(rig: Rig) -> None:
    """The symbol is requested again and stays subscribed; the listener gets it only if it differs."""
    rig.go_live("EURUSD")
    loads = len([e for e in rig.listener.events if e[0] == "symbols"])
    requests = rig.counters.requests
    euro = rig.symbol_id("EURUSD")
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.run(1)
    assert len([e for e in rig.listener.events if e[0] == "symbols"]) == loads, "nothing did change"
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.run(1)
    assert len([e for e in rig.listener.events if e[0] == "symbols"]) == loads + 1
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3
    assert rig.counters.requests == requests + 2
    assert rig.upstream_set() == {"EURUSD"} and rig.state == "live"


def test_symbol_changed_while_the_symbols_load(rig: Rig) -> None:
    """An event that overtakes the answer with the symbol's old data is applied once the table is loaded."""
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.until(lambda: rig.sent("ProtoOASymbolByIdReq"), step_s=0.0005)  # the answer is on its way, with the old digits
    assert rig.state == "symbols"
    euro = next(light for light in rig.dependencies.catalogue.light_symbols if light.symbolName == "EURUSD").symbolId
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3
    assert rig.upstream_set() == {"EURUSD"}


def test_symbol_changed_while_the_account_is_authorised_again(rig: Rig) -> None:
    """The symbols are not asked for before the account is authorised, and then they are."""
    rig.go_live("EURUSD")
    euro = rig.symbol_id("EURUSD")
    rig.log_out(LOGGED_OUT)
    rig.until(lambda: rig.state == "account-auth", step_s=0.0005)
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3
    assert len(rig.net.connections) == 1 and rig.counters.account_losses == 1


def test_symbol_changed_whose_refresh_finds_the_account_logged_out(rig: Rig) -> None:
    """The refresh is made again after the account is authorised anew."""
    rig.go_live("EURUSD")
    euro = rig.symbol_id("EURUSD")
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    rig.log_out()
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.until(lambda: rig.counters.account_losses)
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3


def test_a_new_symbol(make_rig: Callable[..., Rig]) -> None:
    """A symbol that the list did not have is subscribed once it appears, if it is wanted."""
    rig = make_rig()
    lights = rig.dependencies.catalogue.light_symbols
    gold = next(light for light in lights if light.symbolName == "XAUUSD")
    lights.remove(gold)
    rig.go_live("XAUUSD")
    assert rig.listener.refused == {"XAUUSD": "UNKNOWN_SYMBOL"}
    lights.append(gold)
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[gold.symbolId]))
    rig.run(1)
    assert rig.upstream_set() == {"XAUUSD"}
    assert rig.service.explain("XAUUSD").refused == ""


def test_trading_events_are_ignored(rig: Rig) -> None:
    """Events about orders and the trader change nothing, whatever message id they carry."""
    rig.go_live("EURUSD")
    rig.inject(ProtoOATraderUpdatedEvent(ctidTraderAccountId=1001))
    rig.inject(ProtoOAExecutionEvent(ctidTraderAccountId=1001, executionType="ORDER_ACCEPTED"), "not-ours")
    rig.run(1)
    assert rig.state == "live" and rig.counters.protocol_errors == 0


def test_trade_scope_is_warned_of_once(make_rig: Callable[..., Rig], logged: list[LogEvent]) -> None:
    """A token that may trade: one warning, over all connections."""
    rig = make_rig(simulator={"scope": "trading"})
    rig.go_live()
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects)
    assert sum("may trade" in (e.get("log_format") or "") for e in logged) == 1


def test_view_scope_is_not_warned_of(make_rig: Callable[..., Rig], logged: list[LogEvent]) -> None:
    """A token of scope accounts, as the simulator's own is, gives no warning."""
    rig = make_rig()
    rig.go_live()
    assert not any("may trade" in (e.get("log_format") or "") for e in logged)


def test_symbol_changed_that_cannot_be_asked_for(rig: Rig) -> None:
    """A refused refresh keeps the symbol as it was, one without an answer ends the connection."""
    rig.go_live("EURUSD")
    rig.refuse("ProtoOASymbolByIdReq", "UNKNOWN_ERROR")
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[rig.symbol_id("EURUSD")]))
    rig.run(1)
    assert rig.state == "live"
    rig.refuse("ProtoOASymbolByIdReq", "")
    rig.hang("ProtoOASymbolByIdReq")
    rig.inject(ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[rig.symbol_id("EURUSD")]))
    rig.until(lambda: rig.status == "disconnected", 11)
    rig.hang("ProtoOASymbolByIdReq", False)
    rig.until(lambda: rig.state == "live", 100)
