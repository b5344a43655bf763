"""An account that the host cannot route: the wrong host, or a trading server that is away."""

from collections.abc import Callable

import pytest

from tests.support.rig import Rig
from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings
from tickrelay.openapi.messages_pb2 import ProtoOAGetAccountListByAccessTokenRes
from tickrelay.upstream.causes import MAX_ACCOUNTS, cause_of, explain_refusal
from tickrelay.upstream.errors import ERROR_CLASSES, Cause, ErrorClass, Kind, OpenApiError, SessionFailed


@pytest.mark.parametrize(
    ("account", "host", "said", "set_host"),
    [
        (2001, "demo.ctraderapi.com", "account 2001 is live; this host serves demo accounts", "live.ctraderapi.com"),
        (2001, "DEMO-EU.ctraderapi.com", "account 2001 is live; this host serves demo accounts", "live.ctraderapi.com"),
        (1001, "live.ctraderapi.com", "account 1001 is demo; this host serves live accounts", "demo.ctraderapi.com"),
    ],
)
def test_the_message_says_what_to_mend_host(
    make_rig: Callable[..., Rig], account: int, host: str, said: str, set_host: str
) -> None:
    """An account of the other kind than the host serves: an error at once, with the kind and the host to set."""
    rig = make_rig(account_id=account, host=host)
    rig.refuse("ProtoOAAccountAuthReq", "CANT_ROUTE_REQUEST", "Can't route request")
    rig.service.startService()
    rig.run(1)
    assert rig.status == "error" and rig.message.startswith(said)
    assert rig.message.endswith(f"set CTRADER_HOST={set_host}")


def test_cant_route_with_the_right_host_is_passing_trouble(rig: Rig) -> None:
    """The trading server is away: retried with backoff, no error, and the message says so."""
    rig.refuse("ProtoOAAccountAuthReq", "CANT_ROUTE_REQUEST", "Can't route request")
    rig.service.startService()
    rig.run(60, 0.1)
    assert rig.status == "ctrader-connecting" and len(rig.net.attempts) > 3
    assert any("does not reach the trading server of account 1001" in message for message in rig.messages)


@pytest.mark.parametrize(
    ("account", "said"),
    [(2001, "account 2001 is live and not served by"), (1001, "account 1001 is demo and not served by")],
)
def test_cant_route_on_a_host_of_unknown_kind_becomes_an_error(
    make_rig: Callable[..., Rig], account: int, said: str
) -> None:
    """After a few tries, since a trading server may be away; then it is an error, retried slowly."""
    rig = make_rig(account_id=account, host="broker.example")
    rig.refuse("ProtoOAAccountAuthReq", "CANT_ROUTE_REQUEST", "Can't route request")
    rig.service.startService()
    rig.until(lambda: len(rig.net.attempts) == 3, 60)
    assert rig.status == "ctrader-connecting" and any(said in message for message in rig.messages)
    rig.until(lambda: rig.status == "error", 60)
    assert len(rig.net.attempts) == 5
    assert rig.message.startswith(f"{said} broker.example") and rig.message.endswith("check CTRADER_HOST")
    assert rig.listener.statuses[-1].upstream_code == "CANT_ROUTE_REQUEST"
    rig.run(600, 0.25)
    assert rig.status == "error" and len(rig.net.attempts) <= 10
    if account == 1001:  # the simulator has the other one route nowhere, whatever it is told to refuse
        rig.refuse("ProtoOAAccountAuthReq", "")
        rig.until(lambda: rig.state == "live", 1000, 0.25)


@pytest.mark.parametrize("host", ["broker.example", "demo.ctraderapi.com"])
def test_cant_route_where_the_account_list_is_not_given(make_rig: Callable[..., Rig], host: str) -> None:
    """The account's kind is not known: an error that names both of cTrader's hosts."""
    rig = make_rig(host=host)
    rig.refuse("ProtoOAAccountAuthReq", "CANT_ROUTE_REQUEST", "Can't route request")
    rig.refuse("ProtoOAGetAccountListByAccessTokenReq", "UNKNOWN_ERROR")
    rig.service.startService()
    rig.until(lambda: rig.status == "error", 120, 0.1)
    assert f"account 1001 is not served by {host}" in rig.message
    assert "live.ctraderapi.com" in rig.message and "demo.ctraderapi.com" in rig.message


def test_an_account_list_without_the_kind_tells_nothing() -> None:
    """``isLive`` is optional in the schema: absent, it is not taken for a demo account."""
    settings = CTraderSettings(
        client_id="a", client_secret=Secret("b"), access_token=Secret("c"), account_id=7, host="live.ctraderapi.com"
    )
    listed = ProtoOAGetAccountListByAccessTokenRes(accessToken="c")
    listed.ctidTraderAccount.add(ctidTraderAccountId=7)
    cause = explain_refusal(Cause(Kind.NETWORK, "", "CANT_ROUTE_REQUEST"), settings, listed, tries=1)
    assert cause.kind is Kind.NETWORK and cause.message.startswith("account 7 is not served by live.ctraderapi.com")


def attempted(rig: Rig, times: int) -> None:
    """Let time pass until the session has tried to connect *times* times."""
    rig.until(lambda: len(rig.net.attempts) == times, 120, 0.1)


def test_cant_route_counts_tries_in_a_row(make_rig: Callable[..., Rig]) -> None:
    """Tries before the last success do not count."""
    rig = make_rig(host="broker.example")
    for _ in range(3):
        rig.refuse("ProtoOAAccountAuthReq", "CANT_ROUTE_REQUEST", "Can't route request")
        before = len(rig.net.attempts)
        rig.service.startService() if not before else rig.connection.reset()
        attempted(rig, before + 3)
        rig.refuse("ProtoOAAccountAuthReq", "")
        rig.until(lambda: rig.state == "live", 120, 0.1)
    assert "error" not in {status.status.value for status in rig.listener.statuses}


def test_a_failed_step_has_its_cause_already() -> None:
    """The cause of SessionFailed is the one it carries; a defect is named by its type, without its text."""
    settings = CTraderSettings(client_id="c", client_secret=Secret("s"), access_token=Secret("t"), account_id=1)
    cause = Cause(Kind.CREDENTIALS, "mend this")
    assert cause_of(SessionFailed(cause), settings) is cause
    assert cause_of(ZeroDivisionError("text"), settings) == Cause(Kind.NETWORK, "internal error: ZeroDivisionError")


def test_a_code_that_is_added_as_passing_trouble_needs_no_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row in the table is enough: the session retries like after a lost connection, and asks nobody to act."""
    monkeypatch.setitem(ERROR_CLASSES, "SERVER_IS_RESTARTING", ErrorClass.UNAVAILABLE)
    error = OpenApiError("SERVER_IS_RESTARTING", "back soon")
    settings = CTraderSettings(client_id="c", client_secret=Secret("s"), access_token=Secret("t"), account_id=1)
    assert cause_of(error, settings) == Cause(Kind.NETWORK, str(error), "SERVER_IS_RESTARTING")


def test_an_endless_account_list_is_cut() -> None:
    """The message names some of the accounts; clients get it."""
    listed = ProtoOAGetAccountListByAccessTokenRes(accessToken="")
    for number in range(5_000):
        listed.ctidTraderAccount.add(ctidTraderAccountId=10_000 + number)
    settings = CTraderSettings(client_id="c", client_secret=Secret("s"), access_token=Secret("t"), account_id=1001)
    cause = explain_refusal(Cause(Kind.CREDENTIALS, "refused", "RET_NO_SUCH_LOGIN"), settings, listed, 1)
    assert "10000, 10001" in cause.message and "…" in cause.message and len(cause.message) < 500


@pytest.mark.parametrize(("before", "seen"), [(0, True), (MAX_ACCOUNTS - 1, True), (MAX_ACCOUNTS, False)])
def test_a_bounded_number_of_accounts_is_looked_at(before: int, seen: bool) -> None:
    """Each takes time and memory, and a list of 15 MB has hundreds of thousands."""
    settings = CTraderSettings(account_id=77, client_id="i", client_secret=Secret("s"), access_token=Secret("t"))
    listed = ProtoOAGetAccountListByAccessTokenRes(accessToken="t")
    for number in range(before):
        listed.ctidTraderAccount.add(ctidTraderAccountId=1_000 + number)
    listed.ctidTraderAccount.add(ctidTraderAccountId=5, traderLogin=77)
    cause = explain_refusal(Cause(Kind.CREDENTIALS, "refused", "RET_NO_SUCH_LOGIN"), settings, listed, 1)
    assert ("77 is the login number" in cause.message) is seen
