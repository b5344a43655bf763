"""The steps from a connection to an authorised account, and what a refusal on the way means.

Each step is a coroutine that raises `SessionFailed` with a cause that says, for people, which of host, application,
account or token is to be mended.
"""

from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL
from service_identity import VerificationError

from twisted.internet.error import ConnectError
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.openapi.frames import text
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAApplicationAuthReq,
    ProtoOAGetAccountListByAccessTokenReq,
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOARefreshTokenReq,
    ProtoOARefreshTokenRes,
)
from tickrelay.openapi.model_pb2 import ProtoOAClientPermissionScope
from tickrelay.upstream.accounts import CANT_ROUTE, explain_refusal, needs_account_list
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Cause, ErrorClass, Kind, OpenApiError, SessionFailed, UpstreamError
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.tokens import TokenFileError, Tokens, TokenStore

_NO_TLS = ("version", "unsupported protocol", "handshake failure", "no shared", "http request", "unknown protocol")
"""Words of OpenSSL's for a peer that speaks no TLS, or none that is good enough: no retry mends that."""

BLOCKED_LEAST_S = 300.0
"""A blocked channel is not tried again sooner."""


def cause_of(error: Exception, settings: CTraderSettings) -> Cause:
    """What a failed request means for the session."""
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
    if kind in (ErrorClass.RETRY, ErrorClass.REAUTH_ACCOUNT, ErrorClass.REAUTH_APPLICATION, ErrorClass.RATE):
        return Cause(Kind.NETWORK, str(error), error.code)
    return Cause(Kind.REFUSED, f"cTrader refused {error.request or 'the connection'} ({said})", error.code)


def cause_of_loss(reason: Failure, settings: CTraderSettings) -> Cause:
    """What the end of a connection means, or that there was none."""
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


@dataclass(frozen=True)
class Redactor:
    """Takes the secrets of the settings and every token that was used out of a text."""

    settings: CTraderSettings
    tokens: TokenStore

    def __call__(self, text: str) -> str:
        """The text without them."""
        for secret in (self.settings.client_secret.reveal(), *self.tokens.seen):
            if secret:
                text = text.replace(secret, "***")
        return text


async def authorise_application(link: OpenApiProtocol, settings: CTraderSettings) -> None:
    """Tell cTrader which application this is."""
    request = ProtoOAApplicationAuthReq(clientId=settings.client_id, clientSecret=settings.client_secret.reveal())
    try:
        await link.request(request)
    except OpenApiError as e:
        if e.error_class is not ErrorClass.SUCCESS:
            raise SessionFailed(cause_of(e, settings)) from None
    except UpstreamError as e:
        raise SessionFailed(cause_of(e, settings)) from None


@dataclass
class AccountAuthorizer:
    """Opens the account's session; made once a service, run once a session. *wall*: Unix seconds."""

    settings: CTraderSettings
    tokens: TokenStore
    counters: Counters
    wall: Callable[[], float]
    _warned_scope: bool = False
    _cant_route: int = 0
    """How often in a row the account could not be routed."""
    _log = Logger()

    async def run(self, link: OpenApiProtocol) -> None:
        """Authorise the account, renewing the token where it ends soon or is refused: once."""
        tokens = self.tokens.load()
        fresh = False
        if tokens.ends_soon(self.wall()) and tokens.refresh:
            try:
                tokens, fresh = await self._renew(link, tokens), True
            except (UpstreamError, TokenFileError) as e:
                # It is good for some days yet: the session comes up, and people are told.
                self._log.warn("the access token ends soon and could not be renewed: {error}", error=str(e))
        try:
            try:
                await self._authorise(link, tokens)
            except OpenApiError as e:
                if e.error_class is not ErrorClass.TOKEN or not tokens.refresh or fresh:
                    raise
                self._log.info("the access token is refused ({code}): renewing it", code=e.code)
                tokens = await self._renew_or_explain(link, tokens)
                await self._authorise(link, tokens)
        except SessionFailed:
            raise
        except UpstreamError as e:
            raise SessionFailed(await self._explain(link, tokens, e)) from None
        self._cant_route = 0
        await self._look_at_scope(link, tokens)

    async def _authorise(self, link: OpenApiProtocol, tokens: Tokens) -> None:
        request = ProtoOAAccountAuthReq(
            ctidTraderAccountId=self.settings.account_id, accessToken=tokens.access.reveal()
        )
        try:
            await link.request(request)
        except OpenApiError as e:
            if e.error_class is not ErrorClass.SUCCESS:
                raise

    async def _renew(self, link: OpenApiProtocol, tokens: Tokens) -> Tokens:
        # The old pair dies with the request: no request unless the new pair can be kept.
        self.tokens.prepare()
        answer = await link.request(
            ProtoOARefreshTokenReq(refreshToken=tokens.refresh.reveal()), ProtoOARefreshTokenRes
        )
        self.counters.token_renewals += 1
        try:
            renewed = self.tokens.renewed(text(answer.accessToken), text(answer.refreshToken), answer.expiresIn)
        except TokenFileError as e:
            self._log.error("{error}: the renewed tokens are lost when the relay stops", error=str(e))
            renewed = self.tokens.load()
        self._log.info("access token renewed, good for {days} days", days=answer.expiresIn // 86_400)
        return renewed

    async def _renew_or_explain(self, link: OpenApiProtocol, tokens: Tokens) -> Tokens:
        try:
            return await self._renew(link, tokens)
        except TokenFileError as e:
            raise SessionFailed(Cause(Kind.CREDENTIALS, f"the access token must be renewed, but {e}")) from None
        except OpenApiError as e:
            if e.error_class is not ErrorClass.TOKEN:
                raise
            raise SessionFailed(
                Cause(
                    Kind.CREDENTIALS,
                    f"cTrader refuses the access token and the refresh token ({e.code}); grant the application access "
                    "anew and set CTRADER_ACCESS_TOKEN and CTRADER_REFRESH_TOKEN",
                    e.code,
                )
            ) from None

    async def _accounts(self, link: OpenApiProtocol, tokens: Tokens) -> ProtoOAGetAccountListByAccessTokenRes | None:
        """The accounts that the token opens; None where the server does not say."""
        try:
            return await link.request(
                ProtoOAGetAccountListByAccessTokenReq(accessToken=tokens.access.reveal()),
                ProtoOAGetAccountListByAccessTokenRes,
            )
        except UpstreamError:
            return None

    async def _explain(self, link: OpenApiProtocol, tokens: Tokens, error: UpstreamError) -> Cause:
        """The cause of a refusal, with what the account list tells of it."""
        cause = cause_of(error, self.settings)
        if not isinstance(error, OpenApiError) or not needs_account_list(error):
            return cause
        if error.code == CANT_ROUTE:
            self._cant_route += 1
        return explain_refusal(cause, self.settings, await self._accounts(link, tokens), self._cant_route)

    async def _look_at_scope(self, link: OpenApiProtocol, tokens: Tokens) -> None:
        if self._warned_scope:
            return
        listed = await self._accounts(link, tokens)
        if listed is not None and listed.permissionScope == ProtoOAClientPermissionScope.SCOPE_TRADE:
            self._warned_scope = True
            self._log.warn("the access token may trade; the relay only views: a token of scope accounts is enough")
