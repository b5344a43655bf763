"""The steps from a connection to an authorised account, and what a refusal on the way means.

Each step is a coroutine that raises `SessionFailed` with a cause that names the setting to correct: host, application,
account or token.
"""

from dataclasses import dataclass

from twisted.logger import Logger

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.clock import Clock
from tickrelay.openapi.frames import MAX_SECRET_CHARACTERS, text
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAApplicationAuthReq,
    ProtoOAGetAccountListByAccessTokenReq,
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOARefreshTokenReq,
    ProtoOARefreshTokenRes,
)
from tickrelay.openapi.model_pb2 import ProtoOAClientPermissionScope
from tickrelay.upstream.causes import CANT_ROUTE, cause_of, explain_refusal, needs_account_list
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Cause, ErrorClass, Kind, OpenApiError, SessionFailed, UpstreamError
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import Reaction, reaction
from tickrelay.upstream.tokens import TokenFileError, Tokens, TokenStore


@dataclass(frozen=True)
class Redactor:
    """Takes the secrets of the settings and every token that was used out of a text."""

    settings: CTraderSettings
    tokens: TokenStore

    def __call__(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return text

    def finds_secret(self, frame: bytes) -> bool:
        """Whether one of them stands in the bytes of a frame, in whichever field."""
        return any(secret.encode() in frame for secret in self._secrets())

    def _secrets(self) -> list[str]:
        """The longest first: one may be the beginning of another."""
        secrets = {self.settings.client_secret.reveal(), *self.tokens.seen} - {""}
        return sorted(secrets, key=len, reverse=True)


async def authorise_application(link: OpenApiProtocol, settings: CTraderSettings) -> None:
    """Log the application in; being logged in already is success. Raises SessionFailed."""
    request = ProtoOAApplicationAuthReq(clientId=settings.client_id, clientSecret=settings.client_secret.reveal())
    try:
        await link.request(request)
    except OpenApiError as e:
        if reaction(e) is not Reaction.ACCEPT:
            raise SessionFailed(cause_of(e, settings)) from None
    except UpstreamError as e:
        raise SessionFailed(cause_of(e, settings)) from None


@dataclass
class AccountAuthorizer:
    """Opens the account's session; made once a service, run once a session."""

    settings: CTraderSettings
    tokens: TokenStore
    counters: Counters
    clock: Clock
    _warned_scope: bool = False
    _cant_route: int = 0
    """How often in a row the account could not be routed."""
    _log = Logger()

    async def run(self, link: OpenApiProtocol) -> None:
        """Authorise the account, renewing the token where it ends soon or is refused: once. Raises SessionFailed."""
        tokens = self.tokens.load()
        fresh = False
        if tokens.ends_soon(self.clock.wall_ms() / 1000) and tokens.refresh:
            try:
                tokens, fresh = await self._renew(link, tokens), True
            except (UpstreamError, TokenFileError) as e:
                # It is valid for some days yet: the session goes live, and the log asks the operator to act.
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
            if reaction(e) is not Reaction.ACCEPT:
                raise

    async def _renew(self, link: OpenApiProtocol, tokens: Tokens) -> Tokens:
        # The request invalidates the old pair: it is not sent unless the new pair can be stored.
        self.tokens.prepare()
        answer = await link.request(
            ProtoOARefreshTokenReq(refreshToken=tokens.refresh.reveal()), ProtoOARefreshTokenRes
        )
        self.counters.token_renewals += 1
        access, refresh = text(answer.accessToken), text(answer.refreshToken)
        if max(len(access), len(refresh)) > MAX_SECRET_CHARACTERS:
            raise OpenApiError("UNEXPECTED_ANSWER", f"renewed tokens of more than {MAX_SECRET_CHARACTERS} characters")
        if not access:
            raise OpenApiError("UNEXPECTED_ANSWER", "a renewed access token that is empty")
        refresh = refresh or tokens.refresh.reveal()  # the old one may hold still: without any, nothing can be renewed
        try:
            renewed = self.tokens.renewed(access, refresh, answer.expiresIn)
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
        """The accounts that the token opens; None where the server does not give them."""
        try:
            return await link.request(
                ProtoOAGetAccountListByAccessTokenReq(accessToken=tokens.access.reveal()),
                ProtoOAGetAccountListByAccessTokenRes,
            )
        except UpstreamError:
            return None

    async def _explain(self, link: OpenApiProtocol, tokens: Tokens, error: UpstreamError) -> Cause:
        """The cause of a refusal, made precise by the account list."""
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
