"""Access tokens that expire, are revoked or refused: when the session renews them, and where it keeps the new pair."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twisted.logger import LogEvent

from tests.support.rig import Rig
from tickrelay.config.schema import Secret
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAClientDisconnectEvent,
)


def token_rig(make_rig: Callable[..., Rig], tmp_path: Path, **options: Any) -> Rig:
    """A rig with a refresh token and a token file."""
    values: dict[str, Any] = {"refresh_token": Secret("sim-refresh"), "token_file": str(tmp_path / "tokens.json")}
    return make_rig(**{**values, **options})


def stored(tmp_path: Path) -> dict[str, Any]:
    """What stands in the token file."""
    content: dict[str, Any] = json.loads((tmp_path / "tokens.json").read_text())
    return content


def invalidate(rig: Rig, reason: str) -> None:
    """cTrader ends the account's session because of its token; the session is live again within two seconds."""
    rig.log_out(
        ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1001], reason=reason),
        ProtoOAAccountDisconnectEvent(ctidTraderAccountId=1001),
    )
    rig.until(lambda: rig.state != "live")
    rig.until(lambda: rig.state == "live", 2)


def test_a_refused_token_is_renewed_once(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
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


def test_a_renewed_token_is_used_after_a_restart(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """The configured refresh token is used up; the file's pair takes its place in the next process."""
    first = token_rig(make_rig, tmp_path)
    first.dependencies.accounts.expire()
    first.go_live()
    second = token_rig(make_rig, tmp_path)
    second.dependencies.accounts._grants = first.dependencies.accounts._grants
    second.dependencies.accounts._by_refresh = first.dependencies.accounts._by_refresh
    second.go_live()
    assert second.counters.token_renewals == 0


def test_a_token_that_ends_soon_is_renewed_before_account_auth(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """With fewer than three days left it is renewed first, since a renewal ends live sessions of the account."""
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


def test_a_token_with_time_left_is_not_renewed(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """More than three days: nothing is renewed on a reconnect."""
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()
    rig.go_live()
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects == 1)
    assert rig.counters.token_renewals == 1


def test_a_refused_refresh_token_is_an_error_and_no_loop(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """Both tokens refused: an error that asks to grant access anew, at most one try a minute."""
    rig = token_rig(make_rig, tmp_path, refresh_token=Secret("used-up"))
    rig.dependencies.accounts.expire()
    rig.service.startService()
    rig.run(300, 0.1)
    assert rig.status == "error" and "grant the application access anew" in rig.message
    assert len(rig.sent("ProtoOARefreshTokenReq")) <= 4


def test_token_invalidated_uses_the_stored_token(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """Another program renewed the token and saved it: the file is read again, and nothing is renewed."""
    rig = token_rig(make_rig, tmp_path)
    rig.go_live("EURUSD")
    grant = rig.dependencies.accounts.renew("sim-refresh", rig.dependencies.now())
    (tmp_path / "tokens.json").write_text(
        json.dumps({"accessToken": grant.access_token, "refreshToken": grant.refresh_token})
    )
    invalidate(rig, "refreshed")
    assert rig.counters.token_renewals == 0 and len(rig.net.connections) == 1
    assert rig.upstream_set() == {"EURUSD"}


def test_token_invalidated_and_refused_is_renewed_once(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """Revoked: the stored token is tried, refused, renewed; live again on the same connection."""
    rig = token_rig(make_rig, tmp_path)
    rig.go_live("EURUSD")
    rig.dependencies.accounts.expire()
    invalidate(rig, "expired")
    assert rig.counters.token_renewals == 1 and len(rig.net.connections) == 1


def test_an_operator_heals_it_by_the_token_file(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """All tokens are refused; a new pair is put into the file; the next slow try succeeds, without a restart."""
    rig = token_rig(make_rig, tmp_path, access_token=Secret("wrong"), refresh_token=Secret("wrong-too"))
    rig.service.startService()
    rig.run(5)
    assert rig.status == "error"
    (tmp_path / "tokens.json").write_text(json.dumps({"accessToken": "sim-token"}))
    rig.until(lambda: rig.state == "live", 100, 0.1)
    assert rig.status == "connected"


def test_no_renewal_without_a_place_to_keep_it(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """Without the file's directory the refresh token, which is valid once, is not used; the message has the reason."""
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


def test_a_server_that_quotes_the_token(make_rig: Callable[..., Rig], logged: list[LogEvent]) -> None:
    """The message and the log contain the server's text without the secret."""
    rig = make_rig()
    rig.refuse("ProtoOAAccountAuthReq", "CH_ACCESS_TOKEN_INVALID", "Token sim-token of sim-secret is invalid")
    rig.service.startService()
    rig.run(1)
    assert "Token *** of *** is invalid" in rig.message
    rig.inject(ProtoOAClientDisconnectEvent(reason="sim-token"))
    assert not [e for e in logged if "sim-token" in repr(e)]


def test_no_secret_in_messages_logs_or_reprs(
    make_rig: Callable[..., Rig], tmp_path: Path, logged: list[LogEvent]
) -> None:
    """Canary secrets through refusals, renewals and losses: no message, log event or repr contains one."""
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


def test_endless_tokens_are_not_taken(
    make_rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than any token: neither kept nor written, and the session says why it cannot go on."""
    monkeypatch.setattr("tickrelay.upstream.authorization.MAX_SECRET_CHARACTERS", 3)
    rig = token_rig(make_rig, tmp_path)
    rig.dependencies.accounts.expire()
    rig.service.startService()
    rig.until(lambda: rig.status == "error")
    assert "renewed tokens of more than 3 characters" in rig.message
    assert not (tmp_path / "tokens.json").exists()


def test_a_renewal_that_is_refused_while_there_is_time(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """The token ends soon and cannot be renewed: it is used as long as it is valid."""
    rig = token_rig(make_rig, tmp_path)
    (tmp_path / "tokens.json").write_text(
        json.dumps({"accessToken": "sim-token", "refreshToken": "sim-refresh", "expiresAt": rig.wall() + 3600})
    )
    rig.refuse("ProtoOARefreshTokenReq", "SERVER_IS_UNDER_MAINTENANCE")
    rig.go_live("EURUSD")
    assert rig.counters.token_renewals == 0
    assert len(rig.sent("ProtoOARefreshTokenReq")) == 1


def test_a_renewed_pair_that_cannot_be_saved_is_used(
    make_rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[LogEvent]
) -> None:
    """The old pair is void already: the new one is used with a warning, and saved as soon as that succeeds."""
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
