"""What cTrader's refusal of the account means, read with the list of the accounts that the token opens."""

from tickrelay.config.settings import CTraderSettings
from tickrelay.openapi.messages_pb2 import ProtoOAGetAccountListByAccessTokenRes
from tickrelay.upstream.errors import Cause, ErrorClass, Kind, OpenApiError

CANT_ROUTE = "CANT_ROUTE_REQUEST"
"""The answer to an account of the other kind than the host serves, and to one whose trading server is away."""

MAX_CANT_ROUTE = 5
"""So often in a row it is taken for passing trouble, where nothing says that the host serves the account."""


def needs_account_list(error: OpenApiError) -> bool:
    """Does the list, which is served on either host, tell more of this refusal?"""
    return error.error_class is ErrorClass.FATAL_ACCOUNT or error.code == CANT_ROUTE


def kind_of_host(host: str) -> str:
    """``demo`` or ``live``, by the first letters of cTrader's own host names; empty for any other host."""
    return next((kind for kind in ("demo", "live") if host.lower().startswith(kind)), "")


def explain_refusal(
    cause: Cause, settings: CTraderSettings, listed: ProtoOAGetAccountListByAccessTokenRes | None, tries: int
) -> Cause:
    """*cause*, with what the account list tells; *listed* is None where the server does not give it.

    *tries*: how often in a row the account could not be routed, this time included.
    """
    ours = settings.account_id
    accounts = {account.ctidTraderAccountId: account for account in listed.ctidTraderAccount} if listed else {}
    if listed is None or ours in accounts:
        if cause.code != CANT_ROUTE:
            return cause
        told = ours in accounts and accounts[ours].HasField("isLive")
        return _cant_route(settings, ("live" if accounts[ours].isLive else "demo") if told else "", tries)
    for account in accounts.values():
        if account.traderLogin == ours:
            return Cause(
                Kind.CREDENTIALS,
                f"{ours} is the login number of account {account.ctidTraderAccountId}; set "
                f"CTRADER_ACCOUNT_ID={account.ctidTraderAccountId}",
                cause.code,
            )
    known = ", ".join(map(str, accounts)) or "no account"
    return Cause(
        Kind.CREDENTIALS,
        f"the access token does not open account {ours} ({cause.code}); it opens {known}: check "
        "CTRADER_ACCOUNT_ID and CTRADER_ACCESS_TOKEN",
        cause.code,
    )


def _cant_route(settings: CTraderSettings, kind: str, tries: int) -> Cause:
    """*kind* of the account: ``demo``, ``live``, or empty where the account list does not tell."""
    ours, host = settings.account_id, settings.host
    serves = kind_of_host(host)
    if kind and kind == serves:
        why = f"{host} does not reach the trading server of account {ours}"
        return Cause(Kind.NETWORK, f"{why} ({CANT_ROUTE})", CANT_ROUTE)
    if kind and serves:
        why = f"account {ours} is {kind}; this host serves {serves} accounts"
        return Cause(Kind.CREDENTIALS, f"{why} ({CANT_ROUTE}): set CTRADER_HOST={kind}.ctraderapi.com", CANT_ROUTE)
    # The host may be right, and the trading server behind it away for a while.
    if kind:
        why = f"account {ours} is {kind} and not served by {host}; {kind} accounts need {kind}.ctraderapi.com"
    else:
        why = (
            f"account {ours} is not served by {host}; a live account needs live.ctraderapi.com, a demo account "
            "demo.ctraderapi.com"
        )
    trouble = Kind.CREDENTIALS if tries >= MAX_CANT_ROUTE else Kind.NETWORK
    return Cause(trouble, f"{why} ({CANT_ROUTE}): check CTRADER_HOST", CANT_ROUTE)
