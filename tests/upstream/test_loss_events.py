"""What cTrader says of its own accord, and tokens: each signal has its own reaction."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.frames import length_prefixed
from tickrelay.config.schema import Secret
from tickrelay.openapi.frames import encode
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOAExecutionEvent,
    ProtoOASymbolChangedEvent,
    ProtoOATraderUpdatedEvent,
)


def inject(rig: Any, message: Any, msg_id: str = "") -> None:
    """A message arrives that answers nothing."""
    data = encode(message, msg_id)
    rig.connection.inject(length_prefixed(data))


def log_out(rig: Any) -> None:
    """The simulator ends the account's session and says so."""
    for session in list(rig.dependencies.sessions.values()):
        session.log_out(1001)
        session.send(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=1001))


def test_client_disconnect(rig: Any) -> None:
    """The application's session is gone: the connection is ended from here, and made anew."""
    rig.go_live("EURUSD")
    inject(rig, ProtoOAClientDisconnectEvent(reason="Server restart"))
    assert rig.status == "disconnected" and "Server restart" in rig.message
    rig.until(lambda: rig.state == "live")
    assert len(rig.net.connections) == 2 and rig.upstream_set() == {"EURUSD"}


def test_account_disconnect(rig: Any) -> None:
    """The account is authorised again on the same connection, and all is subscribed again; the gap is told."""
    rig.go_live("EURUSD", "XAUUSD")
    rig.listener.events.clear()
    log_out(rig)
    rig.until(lambda: rig.state != "live")
    rig.until(lambda: rig.state == "live", 1)
    assert len(rig.net.connections) == 1
    assert rig.upstream_set() == {"EURUSD", "XAUUSD"}
    assert rig.listener.events[0] == ("lost", "account-disconnect", None)
    assert [e for e in rig.listener.events if e[0] == "symbols"] == [], "the ids hold"
    assert len(rig.sent("ProtoOAAccountAuthReq")) == 2


def test_account_disconnect_of_another_account(rig: Any) -> None:
    """Somebody else's account is none of our business."""
    rig.go_live("EURUSD")
    inject(rig, ProtoOAAccountDisconnectEvent(ctidTraderAccountId=77))
    inject(rig, ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[77], reason="x"))
    rig.run(1)
    assert rig.state == "live" and rig.counters.account_losses == 0


def test_account_disconnect_over_and_over(rig: Any) -> None:
    """An account that is thrown out again and again: a new connection with backoff, no tight loop."""
    rig.go_live("EURUSD")

    for _ in range(10):
        log_out(rig)
        rig.run(0.5)
    assert 2 <= len(rig.net.connections) <= 5
    assert len(rig.sent("ProtoOAAccountAuthReq")) <= 12
    rig.until(lambda: rig.state == "live", 100)
    rig.run(1)
    assert rig.upstream_set() == {"EURUSD"}


def test_a_request_refused_as_not_authorized(rig: Any) -> None:
    """The account's session is gone without a word: the answer to the next request tells, and is acted on."""
    rig.go_live("EURUSD")
    for session in rig.dependencies.sessions.values():
        session.log_out(1001)
    rig.service.want("GBPUSD")
    rig.until(lambda: rig.upstream_set() == {"EURUSD", "GBPUSD"}, 5)
    assert len(rig.net.connections) == 1 and rig.state in ("restoring", "live")


def test_an_account_that_was_not_lost_after_all(rig: Any) -> None:
    """Authorised again though its session stood: what nobody wants any longer does not stay subscribed for ever."""
    rig.go_live("EURUSD", "GBPUSD")
    rig.service.unwant("GBPUSD")
    rig.refuse("ProtoOAUnsubscribeSpotsReq", "ACCOUNT_NOT_AUTHORIZED")
    rig.run(31, 0.1)
    rig.refuse("ProtoOAUnsubscribeSpotsReq", "")
    rig.run(100, 0.1)
    assert rig.counters.account_losses > 0
    assert rig.upstream_set() == {"EURUSD"} and rig.state == "live"


def test_symbol_changed(rig: Any) -> None:
    """The symbol is asked for again, its subscription stays, and the relay hears of it."""
    rig.go_live("EURUSD")
    loads = len([e for e in rig.listener.events if e[0] == "symbols"])
    requests = rig.counters.requests
    euro = rig.symbol_id("EURUSD")
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.run(1)
    assert len([e for e in rig.listener.events if e[0] == "symbols"]) == loads, "nothing did change"
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.run(1)
    assert len([e for e in rig.listener.events if e[0] == "symbols"]) == loads + 1
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3
    assert rig.counters.requests == requests + 2
    assert rig.upstream_set() == {"EURUSD"} and rig.state == "live"


def test_symbol_changed_while_the_symbols_load(rig: Any) -> None:
    """An event that overtakes the answer with the symbol's old data is applied once the table is loaded."""
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.until(lambda: rig.sent("ProtoOASymbolByIdReq"), step_s=0.0005)  # the answer is on its way, with the old digits
    assert rig.state == "symbols"
    euro = next(light for light in rig.dependencies.catalogue.light_symbols if light.symbolName == "EURUSD").symbolId
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3
    assert rig.upstream_set() == {"EURUSD"}


def test_symbol_changed_while_the_account_is_authorised_again(rig: Any) -> None:
    """The symbols are not asked for before the account is authorised, and then they are."""
    rig.go_live("EURUSD")
    euro = rig.symbol_id("EURUSD")
    log_out(rig)
    rig.until(lambda: rig.state == "account-auth", step_s=0.0005)
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3
    assert len(rig.net.connections) == 1 and rig.counters.account_losses == 1


def test_symbol_changed_whose_refresh_finds_the_account_logged_out(rig: Any) -> None:
    """The refresh is made again after the account is authorised anew."""
    rig.go_live("EURUSD")
    euro = rig.symbol_id("EURUSD")
    rig.dependencies.catalogue.full_symbols[euro].digits = 3
    for session in rig.dependencies.sessions.values():
        session.log_out(1001)
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[euro]))
    rig.until(lambda: rig.counters.account_losses)
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert next(s for s in rig.listener.symbols if s.name == "EURUSD").digits == 3


def test_a_new_symbol(make_rig: Callable[..., Any]) -> None:
    """A symbol that was missing appears: whoever wants it gets it."""
    rig = make_rig()
    lights = rig.dependencies.catalogue.light_symbols
    gold = next(light for light in lights if light.symbolName == "XAUUSD")
    lights.remove(gold)
    rig.go_live("XAUUSD")
    assert rig.listener.refused == {"XAUUSD": "UNKNOWN_SYMBOL"}
    lights.append(gold)
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[gold.symbolId]))
    rig.run(1)
    assert rig.upstream_set() == {"XAUUSD"}
    assert rig.service.explain("XAUUSD").refused == ""


def test_trading_events_are_ignored(rig: Any) -> None:
    """Events about orders and the trader change nothing, whatever message id they carry."""
    rig.go_live("EURUSD")
    inject(rig, ProtoOATraderUpdatedEvent(ctidTraderAccountId=1001))
    inject(rig, ProtoOAExecutionEvent(ctidTraderAccountId=1001, executionType=2), "not-ours")
    rig.run(1)
    assert rig.state == "live" and rig.counters.protocol_errors == 0


def test_trade_scope_is_warned_of_once(make_rig: Callable[..., Any], logged: list[dict[str, Any]]) -> None:
    """A token that may trade: one warning, over all connections."""
    rig = make_rig(simulator={"scope": "trading"})
    rig.go_live()
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects)
    assert sum("may trade" in (e.get("log_format") or "") for e in logged) == 1


def test_view_scope_is_not_warned_of(make_rig: Callable[..., Any], logged: list[dict[str, Any]]) -> None:
    """A token of scope accounts is what the relay wants: the simulator's own is one, as ``--simulate`` has it."""
    rig = make_rig()
    rig.go_live()
    assert not any("may trade" in (e.get("log_format") or "") for e in logged)


# Tokens.


def token_rig(make_rig: Callable[..., Any], tmp_path: Path, **options: Any) -> Any:
    """A rig with a refresh token and a token file."""
    values: dict[str, Any] = {"refresh_token": Secret("sim-refresh"), "token_file": str(tmp_path / "tokens.json")}
    return make_rig(**{**values, **options})


def stored(tmp_path: Path) -> dict[str, Any]:
    """What stands in the token file."""
    content: dict[str, Any] = json.loads((tmp_path / "tokens.json").read_text())
    return content


def test_a_refused_token_is_renewed_once(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """An expired token: renewed, the pair on the disk with mode 0600, and live on the same connection."""
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()
    rig.go_live("EURUSD")
    assert rig.counters.token_renewals == 1 and len(rig.net.connections) == 1
    kept = stored(tmp_path)
    assert kept["accessToken"] in rig.dependencies.accounts._grants
    assert kept["refreshToken"] in rig.dependencies.accounts._by_refresh
    assert kept["expiresAt"] > rig.wall()
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["tokens.json"]


def test_a_renewed_token_is_used_after_a_restart(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """The configured refresh token is used up; the file's pair takes its place in the next process."""
    first = token_rig(make_rig, tmp_path)
    first.dependencies.accounts.expire()
    first.go_live()
    second = token_rig(make_rig, tmp_path)
    second.dependencies.accounts._grants = first.dependencies.accounts._grants
    second.dependencies.accounts._by_refresh = first.dependencies.accounts._by_refresh
    second.go_live()
    assert second.counters.token_renewals == 0


def test_a_token_that_ends_soon_is_renewed_before_account_auth(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """Fewer than three days left: renewed first, so that no live session is thrown out by its own renewal."""
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()
    rig.go_live("EURUSD")
    rig.wall_offset_s += rig.dependencies.rules.token_life_s - 2.9 * 86_400
    rig.connection.finish()
    rig.until(lambda: rig.counters.reconnects == 1)
    assert rig.counters.token_renewals == 2
    last = rig.connection
    assert rig.sent("ProtoOARefreshTokenReq", last)[0] < rig.sent("ProtoOAAccountAuthReq", last)[0]
    assert len(rig.sent("ProtoOAAccountAuthReq", last)) == 1


def test_a_token_with_time_left_is_not_renewed(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """More than three days: nothing is renewed on a reconnect."""
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()
    rig.go_live()
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects == 1)
    assert rig.counters.token_renewals == 1


def test_a_refused_refresh_token_is_an_error_and_no_loop(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """Both tokens refused: error that says to grant access anew, at most a try a minute."""
    rig = token_rig(make_rig, tmp_path, refresh_token=Secret("used-up"))
    rig.dependencies.accounts.expire()
    rig.service.startService()
    rig.run(300, 0.1)
    assert rig.status == "error" and "grant the application access anew" in rig.message
    assert len(rig.sent("ProtoOARefreshTokenReq")) <= 4


def test_token_invalidated_uses_the_stored_token(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """Another program renewed the token and wrote it down: it is read again, and nothing is renewed in turn."""
    rig = token_rig(make_rig, tmp_path)
    rig.go_live("EURUSD")
    grant = rig.dependencies.accounts.renew("sim-refresh", rig.dependencies.now())
    (tmp_path / "tokens.json").write_text(
        json.dumps({"accessToken": grant.access_token, "refreshToken": grant.refresh_token})
    )
    for session in rig.dependencies.sessions.values():
        session.log_out(1001)
        session.send(ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1001], reason="refreshed"))
        session.send(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=1001))
    rig.until(lambda: rig.state != "live")
    rig.until(lambda: rig.state == "live", 2)
    assert rig.counters.token_renewals == 0 and len(rig.net.connections) == 1
    assert rig.upstream_set() == {"EURUSD"}


def test_token_invalidated_and_refused_is_renewed_once(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """Revoked: the stored token is tried, refused, renewed; live again on the same connection."""
    rig = token_rig(make_rig, tmp_path)
    rig.go_live("EURUSD")
    rig.dependencies.accounts.expire()
    for session in rig.dependencies.sessions.values():
        session.log_out(1001)
        session.send(ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1001], reason="expired"))
        session.send(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=1001))
    rig.until(lambda: rig.state != "live")
    rig.until(lambda: rig.state == "live", 2)
    assert rig.counters.token_renewals == 1 and len(rig.net.connections) == 1


def test_an_operator_heals_it_by_the_token_file(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """Everything is refused; a new pair is put into the file; the next slow try is live, without a restart."""
    rig = token_rig(make_rig, tmp_path, access_token=Secret("wrong"), refresh_token=Secret("wrong-too"))
    rig.service.startService()
    rig.run(5)
    assert rig.status == "error"
    (tmp_path / "tokens.json").write_text(json.dumps({"accessToken": "sim-token"}))
    rig.until(lambda: rig.state == "live", 100, 0.1)
    assert rig.status == "connected"


def test_no_renewal_without_a_place_to_keep_it(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """The directory is gone: the refresh token is not burnt, and the message says why."""
    (tmp_path / "nowhere").mkdir()
    rig = token_rig(make_rig, tmp_path, token_file=str(tmp_path / "nowhere" / "tokens.json"))
    (tmp_path / "nowhere").rmdir()  # after the start, which checks it
    rig.dependencies.accounts.expire()
    rig.service.startService()
    rig.run(2)
    assert rig.status == "error" and "nowhere" in rig.message
    assert rig.sent("ProtoOARefreshTokenReq") == []
    (tmp_path / "nowhere").mkdir()
    rig.until(lambda: rig.state == "live", 100, 0.1)


def test_a_server_that_quotes_the_token(make_rig: Callable[..., Any], logged: list[dict[str, Any]]) -> None:
    """What it says is told, without the secret."""
    rig = make_rig()
    rig.refuse("ProtoOAAccountAuthReq", "CH_ACCESS_TOKEN_INVALID", "Token sim-token of sim-secret is invalid")
    rig.service.startService()
    rig.run(1)
    assert "Token *** of *** is invalid" in rig.message
    inject(rig, ProtoOAClientDisconnectEvent(reason="sim-token"))
    assert not [e for e in logged if "sim-token" in repr(e)]


def test_no_secret_in_messages_logs_or_reprs(
    make_rig: Callable[..., Any], tmp_path: Path, logged: list[dict[str, Any]]
) -> None:
    """Canary secrets through refusals, renewals and losses: nothing that is told or logged holds one."""
    canaries = ("canary-secret", "canary-token", "canary-refresh", "sim-")
    rig = token_rig(
        make_rig,
        tmp_path,
        simulator={"client_secret": "canary-secret", "access_token": "canary-token", "refresh_token": "canary-refresh"},
        client_secret=Secret("canary-secret"),
        access_token=Secret("canary-token"),
        refresh_token=Secret("canary-refresh"),
    )
    rig.dependencies.accounts.expire()
    rig.go_live("EURUSD")
    rig.dependencies.accounts.expire()
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects == 1)
    rig.refuse("ProtoOAAccountAuthReq", "CH_ACCESS_TOKEN_INVALID")
    rig.connection.reset()
    rig.run(3)
    assert rig.counters.token_renewals >= 2
    seen = [repr(e) for e in logged] + rig.messages + [repr(rig.settings), repr(rig.session._logon._account)]
    for canary in canaries:
        assert not [text for text in seen if canary in text], canary


def test_a_renewal_that_is_refused_while_there_is_time(make_rig: Callable[..., Any], tmp_path: Path) -> None:
    """The token ends soon and cannot be renewed: it is used as long as it is good."""
    rig = token_rig(make_rig, tmp_path)
    (tmp_path / "tokens.json").write_text(
        json.dumps({"accessToken": "sim-token", "refreshToken": "sim-refresh", "expiresAt": rig.wall() + 3600})
    )
    rig.refuse("ProtoOARefreshTokenReq", "SERVER_IS_UNDER_MAINTENANCE")
    rig.go_live("EURUSD")
    assert rig.counters.token_renewals == 0
    assert len(rig.sent("ProtoOARefreshTokenReq")) == 1


def test_endless_tokens_are_not_taken(
    make_rig: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than any token: neither kept nor written, and the session says why it cannot go on."""
    monkeypatch.setattr("tickrelay.upstream.authorization.MAX_TOKEN_CHARACTERS", 3)
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()
    rig.service.startService()
    rig.until(lambda: rig.status == "error")
    assert "renewed tokens of more than 3 characters" in rig.message
    assert not (tmp_path / "tokens.json").exists()


def test_a_renewed_pair_that_cannot_be_saved_is_used(
    make_rig: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    """The old pair is void already: better a warning than no feed; it is saved as soon as it can be."""
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    rig.go_live("EURUSD")
    assert not (tmp_path / "tokens.json").exists()
    assert any("are lost when the relay stops" in (e.get("log_format") or "") for e in logged)
    monkeypatch.undo()
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects == 1)
    assert stored(tmp_path)["accessToken"] in rig.dependencies.accounts._grants
    assert rig.counters.token_renewals == 1


def test_symbol_changed_that_cannot_be_asked_for(rig: Any) -> None:
    """A refused refresh is surfaced, a hanging one ends the connection; what was known stays."""
    rig.go_live("EURUSD")
    rig.refuse("ProtoOASymbolByIdReq", "UNKNOWN_ERROR")
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[rig.symbol_id("EURUSD")]))
    rig.run(1)
    assert rig.state == "live"
    rig.refuse("ProtoOASymbolByIdReq", "")
    rig.hang("ProtoOASymbolByIdReq")
    inject(rig, ProtoOASymbolChangedEvent(ctidTraderAccountId=1001, symbolId=[rig.symbol_id("EURUSD")]))
    rig.until(lambda: rig.status == "disconnected", 11)
    rig.hang("ProtoOASymbolByIdReq", False)
    rig.until(lambda: rig.state == "live", 100)
