"""Application and account auth, logout, account lists, token renewal."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAAccountAuthRes,
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountLogoutReq,
    ProtoOAAccountLogoutRes,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAApplicationAuthReq,
    ProtoOAApplicationAuthRes,
    ProtoOAGetAccountListByAccessTokenReq,
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOAGetCtidProfileByTokenReq,
    ProtoOAGetCtidProfileByTokenRes,
    ProtoOARefreshTokenReq,
    ProtoOARefreshTokenRes,
    ProtoOAVersionReq,
    ProtoOAVersionRes,
)
from tickrelay.openapi.model_pb2 import ProtoOAClientPermissionScope, ProtoOACtidProfile, ProtoOACtidTraderAccount
from tickrelay.simulator.accounts import Grant
from tickrelay.simulator.peer import Peer
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.session import Session

PROTOCOL_VERSION = "90"


def check_account(session: Session, account_id: int) -> None:
    """Raise RequestRefused for an account that is not authorized on this connection."""
    if account_id not in session.accounts:
        # The code is INVALID_REQUEST, and clients recognise it by the text (seen on the live server).
        raise RequestRefused("INVALID_REQUEST", "Trading account is not authorized", account_id=account_id)


def version(session: Session, request: ProtoOAVersionReq) -> Sequence[Message]:
    """The version of the protocol; needs no application auth."""
    return [ProtoOAVersionRes(version=PROTOCOL_VERSION)]


def application_auth(session: Session, request: ProtoOAApplicationAuthReq) -> Sequence[Message]:
    """Authorize the application, once a connection. A second request is refused (seen on the live server)."""
    if session.application:
        raise RequestRefused("ALREADY_LOGGED_IN", "Application is already authorized in this channel")
    session.broker.accounts.authenticate(request.clientId, request.clientSecret)
    session.application = True
    return [ProtoOAApplicationAuthRes()]


def account_auth(session: Session, request: ProtoOAAccountAuthReq) -> Sequence[Message]:
    """Authorize an account on this connection."""
    accounts, account_id = session.broker.accounts, request.ctidTraderAccountId
    grant = accounts.grant(request.accessToken, session.broker.now())
    accounts.account(grant, account_id)
    if account_id in session.accounts:
        raise RequestRefused(
            "ALREADY_LOGGED_IN", "Trading account is already authorized in this channel", account_id=account_id
        )
    session.accounts[account_id] = grant
    return [ProtoOAAccountAuthRes(ctidTraderAccountId=account_id)]


def account_logout(session: Session, request: ProtoOAAccountLogoutReq) -> Sequence[Message]:
    """End an account's session; AccountDisconnectEvent follows the answer."""
    account_id = request.ctidTraderAccountId
    check_account(session, account_id)
    session.log_out(account_id)
    return [
        ProtoOAAccountLogoutRes(ctidTraderAccountId=account_id),
        ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id),
    ]


def account_list(session: Session, request: ProtoOAGetAccountListByAccessTokenReq) -> Sequence[Message]:
    """Every account of the grant, demo and live: either host serves the whole list (seen on the live server).

    The rule ``dead_token_empty_list`` answers an invalid token with an empty list.
    """
    broker = session.broker
    try:
        grant = broker.accounts.grant(request.accessToken, broker.now())
    except RequestRefused:
        if broker.rules.dead_token_empty_list:
            return [ProtoOAGetAccountListByAccessTokenRes(accessToken=request.accessToken)]
        raise
    scope = ProtoOAClientPermissionScope.SCOPE_TRADE
    if grant.scope == "accounts":
        scope = ProtoOAClientPermissionScope.SCOPE_VIEW
    return [
        ProtoOAGetAccountListByAccessTokenRes(
            accessToken=request.accessToken,
            permissionScope=scope,
            ctidTraderAccount=[
                ProtoOACtidTraderAccount(
                    ctidTraderAccountId=account.account_id,
                    isLive=account.live,
                    traderLogin=account.login or 5_000_000 + account.account_id,
                    lastClosingDealTimestamp=0,
                    lastBalanceUpdateTimestamp=0,
                    brokerTitleShort="Simulated",
                )
                for account in grant.accounts.values()
            ],
        )
    ]


def profile(session: Session, request: ProtoOAGetCtidProfileByTokenReq) -> Sequence[Message]:
    """The user who granted the token."""
    grant = session.broker.accounts.grant(request.accessToken, session.broker.now())
    return [ProtoOAGetCtidProfileByTokenRes(profile=ProtoOACtidProfile(userId=grant.user_id))]


def refresh_token(session: Session, request: ProtoOARefreshTokenReq) -> Sequence[Message]:
    """Renew a grant. Its accounts are thrown out of every connection, with events (seen on the live server)."""
    broker = session.broker
    if not session.application and broker.rules.refresh_needs_application:
        raise RequestRefused("CH_CLIENT_NOT_AUTHENTICATED", "Application is not authenticated")
    grant = broker.accounts.renew(request.refreshToken, broker.now())
    answer = ProtoOARefreshTokenRes(
        accessToken=grant.access_token,
        tokenType="bearer",
        expiresIn=broker.rules.token_life_s,
        refreshToken=grant.refresh_token,
    )
    events: list[Message] = []
    for other in list(broker.sessions.values()):
        thrown_out = throw_out(other, grant, "Access token is refreshed")
        if other is session:
            events = thrown_out
        else:
            for event in thrown_out:
                other.send(event)
    return [answer, *events]


def throw_out(peer: Peer, grant: Grant | None, reason: str) -> list[Message]:
    """End the sessions of the accounts authorized by *grant* (None: of all); returns the events to send for it."""
    ended = [account_id for account_id, opened in peer.accounts.items() if grant is None or opened is grant]
    if not ended:
        return []
    for account_id in ended:
        peer.throw_out(account_id)
    return [
        ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=ended, reason=reason),
        *(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id) for account_id in ended),
    ]


ANSWERS: dict[type[Message], Any] = {
    ProtoOAVersionReq: version,
    ProtoOAApplicationAuthReq: application_auth,
    ProtoOAAccountAuthReq: account_auth,
    ProtoOAAccountLogoutReq: account_logout,
    ProtoOAGetAccountListByAccessTokenReq: account_list,
    ProtoOAGetCtidProfileByTokenReq: profile,
    ProtoOARefreshTokenReq: refresh_token,
}
