"""Why a session ended, in a sentence that names the setting to correct. Pure functions.

`cause_of` reads an exception, `cause_of_loss` the end of a connection, `explain_refusal` the refusal of an account
together with the list of the accounts that the token opens.
"""

from itertools import islice

from OpenSSL import SSL
from service_identity import VerificationError

from twisted.internet.error import ConnectError
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.openapi.messages_pb2 import ProtoOAGetAccountListByAccessTokenRes
from tickrelay.upstream.errors import Cause, ErrorClass, Kind, OpenApiError, SessionFailed, UpstreamError

CANT_ROUTE = "CANT_ROUTE_REQUEST"
"""The answer to an account of the other kind than the host serves, and to one whose trading server is away."""

MAX_CANT_ROUTE = 5
"""After so many such answers in a row the host counts as wrong, where nothing shows that it serves the account."""

_NO_TLS = ("version", "unsupported protocol", "handshake failure", "no shared", "http request", "unknown protocol")
"""Parts of OpenSSL's messages about a peer without TLS, or whose TLS is too old: a retry does not help.
pyOpenSSL's SSL.Error has these texts only, no codes."""

_PASSING = (
    ErrorClass.RETRY,
    ErrorClass.REAUTH_ACCOUNT,
    ErrorClass.REAUTH_APPLICATION,
    ErrorClass.RATE,
    ErrorClass.UNAVAILABLE,
)
"""Classes that pass by themselves: nothing has to be corrected."""

MAX_ACCOUNTS = 1_000
"""Accounts that are looked at: each one read from a list of hundreds of thousands takes time and memory."""

MAX_LISTED = 20
"""Accounts that a message names."""

BLOCKED_LEAST_S = 300.0
"""A blocked channel is not tried again sooner."""


def cause_of(error: BaseException, settings: CTraderSettings) -> Cause:
    """Why *error* ends the session. Anything but an UpstreamError is a defect of the relay, named by its type alone."""
    if isinstance(error, SessionFailed):
        return error.cause
    if not isinstance(error, UpstreamError):
        return Cause(Kind.NETWORK, f"internal error: {type(error).__name__}")
    if not isinstance(error, OpenApiError):
        return Cause(Kind.NETWORK, str(error))
    said = f"{error.code}: {error.description}" if error.description else error.code
    kind = error.error_class
    if error.code == "SERVER_IS_UNDER_MAINTENANCE":
        return Cause(Kind.MAINTENANCE, f"cTrader is under maintenance ({said})", error.code, error.maintenance_end_s)
    if error.code == "CONNECTIONS_LIMIT_EXCEEDED":
        return Cause(
            Kind.CONNECTION_LIMIT,
            f"the application has too many connections open ({said}); close other programs that use its client id",
            error.code,
        )
    if kind is ErrorClass.FATAL_APPLICATION:
        return Cause(
            Kind.CREDENTIALS,
            f"cTrader refuses the application ({said}); check CTRADER_CLIENT_ID and CTRADER_CLIENT_SECRET, and that "
            "the application is activated",
            error.code,
        )
    if kind is ErrorClass.FATAL_ACCOUNT:
        return Cause(
            Kind.CREDENTIALS,
            f"cTrader refuses the account {settings.account_id} ({said}); check CTRADER_ACCOUNT_ID (the "
            f"ctidTraderAccountId, not the login number) and that the host {settings.host} serves its kind, demo or "
            "live",
            error.code,
            least_s=BLOCKED_LEAST_S if error.code == "CHANNEL_IS_BLOCKED" else 0.0,
        )
    if kind is ErrorClass.TOKEN:
        return Cause(
            Kind.CREDENTIALS,
            f"cTrader refuses the access token ({said}); grant the application access anew and set "
            "CTRADER_ACCESS_TOKEN",
            error.code,
        )
    if kind in _PASSING:
        return Cause(Kind.NETWORK, str(error), error.code)
    return Cause(Kind.REFUSED, f"cTrader refused {error.request or 'the connection'} ({said})", error.code)


def cause_of_loss(reason: Failure, settings: CTraderSettings) -> Cause:
    """Why a connection ended, or could not be made; *reason* is what Twisted gives `connectionLost`."""
    where = f"{settings.host}:{settings.port}"
    error = reason.value
    if isinstance(error, VerificationError):
        return Cause(
            Kind.CERTIFICATE,
            f"the certificate of {where} is not for this host name; check CTRADER_HOST",
        )
    if isinstance(error, SSL.Error):
        details = "; ".join(str(part[-1]) for part in error.args[0]) if error.args and error.args[0] else str(error)
        if "certificate" in details:
            return Cause(
                Kind.CERTIFICATE,
                f"the certificate of {where} is not trusted, or has expired ({details}); check CTRADER_HOST, "
                "and CTRADER_CA_FILE for a private certificate authority",
            )
        if any(word in details for word in _NO_TLS):
            return Cause(Kind.CERTIFICATE, f"TLS with {where} is not possible ({details}); check host and port")
        return Cause(Kind.NETWORK, f"TLS with {where} failed: {details}")
    why = str(error) or type(error).__name__
    if isinstance(error, ConnectError):
        return Cause(Kind.NETWORK, f"cannot connect to {where}: {why}")
    return Cause(Kind.NETWORK, f"connection to {where} lost: {why}")


def needs_account_list(error: OpenApiError) -> bool:
    """Whether the account list, which demo and live hosts both serve, can explain this refusal."""
    return error.error_class is ErrorClass.FATAL_ACCOUNT or error.code == CANT_ROUTE


def kind_of_host(host: str) -> str:
    """``demo`` or ``live``, by the first letters of cTrader's own host names; empty for any other host."""
    return next((kind for kind in ("demo", "live") if host.lower().startswith(kind)), "")


def explain_refusal(
    cause: Cause, settings: CTraderSettings, listed: ProtoOAGetAccountListByAccessTokenRes | None, tries: int
) -> Cause:
    """*cause*, made precise by the account list; *listed* is None where the server does not give it.

    *tries*: how often in a row the account could not be routed, this time included.
    """
    ours = settings.account_id
    first = islice(listed.ctidTraderAccount, MAX_ACCOUNTS) if listed else ()
    accounts = {account.ctidTraderAccountId: account for account in first}
    if listed is None or ours in accounts:
        if cause.code != CANT_ROUTE:
            return cause
        known_kind = ours in accounts and accounts[ours].HasField("isLive")
        return _cant_route(settings, ("live" if accounts[ours].isLive else "demo") if known_kind else "", tries)
    for account in accounts.values():
        if account.traderLogin == ours:
            return Cause(
                Kind.CREDENTIALS,
                f"{ours} is the login number of account {account.ctidTraderAccountId}; set "
                f"CTRADER_ACCOUNT_ID={account.ctidTraderAccountId}",
                cause.code,
            )
    known = ", ".join([*map(str, islice(accounts, MAX_LISTED)), *(["…"] if len(accounts) > MAX_LISTED else [])])
    return Cause(
        Kind.CREDENTIALS,
        f"the access token does not open account {ours} ({cause.code}); it opens {known or 'no account'}: check "
        "CTRADER_ACCOUNT_ID and CTRADER_ACCESS_TOKEN",
        cause.code,
    )


def _cant_route(settings: CTraderSettings, kind: str, tries: int) -> Cause:
    """*kind* of the account: ``demo``, ``live``, or empty where the account list does not have it."""
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
    kind_of_cause = Kind.CREDENTIALS if tries >= MAX_CANT_ROUTE else Kind.NETWORK
    return Cause(kind_of_cause, f"{why} ({CANT_ROUTE}): check CTRADER_HOST", CANT_ROUTE)
