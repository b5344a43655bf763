"""``twistd tickrelay --check``: try the settings step by step, one line each, with what is wrong and how to mend it.

::

    ok      start        ports, files and directories are usable
    ok      DNS          demo.ctraderapi.com is 192.0.2.1
    ok      TLS          certificate of demo.ctraderapi.com:5035 verified
    FAILED  application  cTrader refuses the application (CH_CLIENT_AUTH_FAILURE: …); check CTRADER_CLIENT_ID and …

It listens for a moment where clients will connect, then opens one connection of its own to cTrader and closes it; a
relay that is running is not disturbed, and its ports being in use is only a warning. The exit status is 0 when every
step is well, 1 otherwise.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.clock import Clock
from tickrelay.model.errors import SettingError
from tickrelay.model.ticks import PRICE_SCALE, Symbol
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetAccountListByAccessTokenReq,
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOASubscribeSpotsReq,
    ProtoOASubscribeSpotsRes,
)
from tickrelay.openapi.model_pb2 import ProtoOAClientPermissionScope
from tickrelay.startup import ReactorClock
from tickrelay.upstream.authorization import AccountAuthorizer, authorise_application
from tickrelay.upstream.causes import cause_of, cause_of_loss
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import SessionFailed, UpstreamError
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol
from tickrelay.upstream.service import connect_over_tls
from tickrelay.upstream.symbol_table import SymbolTable
from tickrelay.upstream.tokens import TokenStore

FAVOURITES = ("EURUSD", "XAUUSD", "BTCUSD")
"""Symbols to wait for, where the account has them and their market is open."""
FIRST_SPOT_S = 10.0


class CheckFactory(ClientFactory):
    """Makes the one connection of a check; *secured* fires when TLS is complete, or fails."""

    noisy = False

    def __init__(self, clock: Clock, settings: CTraderSettings) -> None:
        self._settings = settings
        self._clock = clock
        self.secured: Deferred[OpenApiProtocol] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self.spot: Callable[[int, int, int, int], None] = lambda *_: None

    def buildProtocol(self, addr: object) -> OpenApiProtocol:
        """TCP is up."""
        settings = LinkSettings(
            account_id=self._settings.account_id, request_timeout_s=self._settings.request_timeout_s
        )
        link = OpenApiProtocol(self._clock, self, lambda *spot: self.spot(*spot), Counters(), settings)
        link.deliver_spots()
        link.factory = self
        return link

    def link_secured(self, link: OpenApiProtocol) -> None:
        """TLS is complete."""
        if not self.secured.called:
            self.secured.callback(link)

    def link_garbled(self, link: OpenApiProtocol, reason: str) -> None:
        """The loss follows."""

    def link_lost(self, link: OpenApiProtocol, reason: Failure) -> None:
        """The connection is gone."""
        self._fail(reason)
        self.lost.callback(None)

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """There was no connection."""
        self._fail(reason)
        self.lost.callback(None)

    def _fail(self, reason: Failure) -> None:
        if not self.secured.called:
            self.secured.errback(SessionFailed(cause_of_loss(reason, self._settings)))


class Check:
    """One run. *say* prints a line; *resolve* and *connect* are for tests."""

    def __init__(
        self,
        settings: CTraderSettings,
        reactor: Any,
        clock: Clock,
        *,
        say: Callable[[str], object] = print,
        resolve: Callable[[str], "Deferred[str]"] | None = None,
        connect: Callable[[Any], Any] | None = None,
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._say = say
        self._resolve = resolve or reactor.resolve
        self._connect = connect
        self._clock = clock
        self._tokens = TokenStore(settings.access_token, settings.refresh_token, settings.token_file, clock)
        self._factory = CheckFactory(clock, settings)
        self._link: OpenApiProtocol
        self._table = SymbolTable()

    async def run(self) -> int:
        """Take every step up to the first that fails; returns the exit status."""
        try:
            for name, step in (
                ("DNS", self._dns),
                ("TLS", self._tls),
                ("application", self._application),
                ("account", self._account),
                ("scope", self._scope),
                ("symbols", self._symbols),
                ("first spot", self._first_spot),
            ):
                if not await self._step(name, step):
                    return 1
            return 0
        finally:
            await self._close()

    async def _step(self, name: str, step: Callable[[], Awaitable[str]]) -> bool:
        try:
            found = await step()
        except SessionFailed as e:
            self._say(f"FAILED  {name:<12} {e.cause.message}")
        except SettingError as e:
            self._say(f"FAILED  {name:<12} {e}")
        except UpstreamError as e:
            self._say(f"FAILED  {name:<12} {cause_of(e, self._settings).message}")
        else:
            self._say(f"ok      {name:<12} {found}")
            return True
        return False

    async def _dns(self) -> str:
        host = self._settings.host
        try:
            address = await self._resolve(host)
        except DNSLookupError:
            raise UpstreamError(f"there is no host {host}; check CTRADER_HOST and this machine's name server") from None
        return f"{host} is {address}"

    async def _tls(self) -> str:
        settings = self._settings
        connect = self._connect or connect_over_tls(self._reactor, settings)
        connector = connect(self._factory)
        late = self._clock.call_later(settings.connect_timeout_s, connector.disconnect)
        try:
            self._link = await self._factory.secured
        finally:
            if late.active():
                late.cancel()
        return f"certificate of {settings.host}:{settings.port} verified"

    async def _application(self) -> str:
        await authorise_application(self._link, self._settings)
        return f"client {self._settings.client_id} accepted"

    async def _account(self) -> str:
        step = AccountAuthorizer(self._settings, self._tokens, Counters(), self._clock)
        await step.run(self._link)
        return f"account {self._settings.account_id} opened"

    async def _scope(self) -> str:
        request = ProtoOAGetAccountListByAccessTokenReq(accessToken=self._tokens.load().access.reveal())
        listed = await self._link.request(request, ProtoOAGetAccountListByAccessTokenRes)
        if listed.permissionScope == ProtoOAClientPermissionScope.SCOPE_TRADE:
            return "the token may trade; the relay only views: a token of scope accounts is enough"
        return "the token may view, and no more: as it should be"

    async def _symbols(self) -> str:
        await self._table.load(self._link, self._settings.account_id)
        names = self._table.by_name
        if not names:
            raise UpstreamError("the account has no symbols; ask the broker")
        return f"{len(names)} symbols, such as {', '.join(list(names)[:3])}"

    def _candidate(self) -> Symbol | None:
        now_s = self._clock.wall_ms() / 1000
        known = [self._table.by_name[name] for name in FAVOURITES if name in self._table.by_name]
        for symbol in (*known, *self._table.symbols()):
            if symbol.enabled and symbol.schedule.is_open(now_s):
                return symbol
        # A shut market answers a subscription with its last price, too.
        return next((symbol for symbol in (*known, *self._table.symbols()) if symbol.enabled), None)

    async def _first_spot(self) -> str:
        symbol = self._candidate()
        if symbol is None:
            raise UpstreamError("no symbol is enabled on the account; ask the broker")
        came: Deferred[tuple[int, int]] = Deferred()

        def spot(symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
            if symbol_id == symbol.symbol_id and not came.called:
                came.callback((bid, ask))

        self._factory.spot = spot
        await self._link.request(
            ProtoOASubscribeSpotsReq(ctidTraderAccountId=self._settings.account_id, symbolId=[symbol.symbol_id]),
            ProtoOASubscribeSpotsRes,
        )
        try:
            bid, ask = await came.addTimeout(FIRST_SPOT_S, self._reactor)
        except Exception:
            raise UpstreamError(f"no spot of {symbol.name} within {FIRST_SPOT_S:g} s; is its market open?") from None
        shut = "" if symbol.schedule.is_open(self._clock.wall_ms() / 1000) else " (its market is shut: the last price)"
        digits = symbol.digits
        return f"{symbol.name} {bid / PRICE_SCALE:.{digits}f} / {ask / PRICE_SCALE:.{digits}f}{shut}"

    async def _close(self) -> None:
        link = getattr(self, "_link", None)
        if link is not None:
            link.close()
            late = self._clock.call_later(self._settings.stop_timeout_s, link.abort)
            await self._factory.lost
            if late.active():
                late.cancel()


def local(rehearse: Callable[[], list[str]], say: Callable[[str], object] = print) -> bool:
    """The first step: all that the start does before it connects, by *rehearse* (`RelayService.rehearse`)."""
    try:
        doubts = rehearse()
    except SettingError as e:
        for problem in e.problems:
            say(f"FAILED  {'start':<12} {problem}")
        return False
    for doubt in doubts:
        say(f"warn    {'start':<12} {doubt}")
    say(f"ok      {'start':<12} ports, files and directories are usable")
    return True


def main(reactor: Any, settings: CTraderSettings) -> "Deferred[None]":
    """For `twisted.internet.task.react`: runs a check and ends the process with its status."""

    def finish(status: int) -> None:
        raise SystemExit(status)

    return Deferred.fromCoroutine(Check(settings, reactor, ReactorClock(reactor)).run()).addCallback(finish)
