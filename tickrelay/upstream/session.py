"""CTraderSession: what is done in each state of the machine, and who is told.

Everything that happens to the connection comes in here (as LinkOwner, FactoryOwner, SubscriptionsOwner), becomes an
input of the machine, and the machine calls `enter`. A step on the way to live runs as one coroutine; it ends with its
state: what it still brings after that is ignored.
"""

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConnector, IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.config import CTraderSettings
from tickrelay.interfaces import IFeedListener
from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOAErrorRes,
    ProtoOASymbolChangedEvent,
)
from tickrelay.status import FeedStatus, Status
from tickrelay.upstream.backoff import Backoff
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.factory import SessionFactory
from tickrelay.upstream.faults import Cause, ErrorClass, Kind, LinkLost, OpenApiError, SessionFailed, UpstreamError
from tickrelay.upstream.machine import FEED_STATES, State, make_machine
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol, api_error
from tickrelay.upstream.steps import AccountStep, authorise_application, cause_of, cause_of_loss
from tickrelay.upstream.subscriptions import Subscriptions
from tickrelay.upstream.symbols import SymbolBook
from tickrelay.upstream.tokens import TokenStore

MAX_ACCOUNT_LOSSES = 3
"""So often in a row the account is authorised again on one connection; after that a new connection is tried."""

_ON_THE_WAY = frozenset({State.CONNECTING, State.APPLICATION_AUTH, State.ACCOUNT_AUTH, State.SYMBOLS, State.RESTORING})
_FLOWING = frozenset({State.RESTORING, State.LIVE, State.DEGRADED})


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What a session needs of the world. *clock* schedules; *monotonic* and *wall* (Unix) are read, in seconds.

    *connect* starts a connection for the factory and returns its connector.
    """

    clock: IReactorTime
    monotonic: Callable[[], float]
    wall: Callable[[], float]
    connect: Callable[[SessionFactory], IConnector]
    record: Callable[[bytes], None] | None = None
    rng: random.Random = field(default_factory=random.Random)


class CTraderSession:
    """The one session of a service, across all its connections. *listener* is told what the feed brings."""

    _log = Logger()

    def __init__(
        self, settings: CTraderSettings, listener: IFeedListener, world: Surroundings, counters: Counters
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._world = world
        self._clock = world.clock
        self.counters = counters
        self.state = State.IDLE
        self.book = SymbolBook()
        self.subscriptions = Subscriptions(
            world.clock, world.monotonic, world.wall, self, settings.unsubscribe_linger_s
        )
        self._backoff = Backoff(world.wall, rng=world.rng)
        self._account = AccountStep(
            settings,
            TokenStore(settings.access_token, settings.refresh_token, settings.token_file, world.wall),
            counters,
            world.wall,
        )
        self._machine = make_machine(self)
        self._factory = SessionFactory(world.clock, self, self._build_link, world.connect)
        self._link: OpenApiProtocol | None = None
        self._book_is_of: OpenApiProtocol | None = None
        self._step: Deferred[None] | None = None
        self._timers: dict[str, IDelayedCall] = {}
        self._status: FeedStatus | None = None
        self._cause: Cause | None = None
        self._trouble: Cause | None = None
        self._established = False
        self._account_losses = 0
        self._stopped: list[Deferred[None]] = []

    # From the service.

    def start(self) -> None:
        """Begin connecting."""
        self._machine.start()

    def stop(self) -> "Deferred[None]":
        """End the connection in order; fires when it is gone, at the latest after the setting's deadline."""
        if self.state in (State.IDLE, State.STOPPED):
            self._machine.stop()
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        self._machine.stop()
        return stopped

    # From the factory and the link.

    def _build_link(self) -> OpenApiProtocol:
        settings = self._settings
        return OpenApiProtocol(
            self._clock,
            self._world.monotonic,
            self,
            self._listener.spot,
            self.counters,
            LinkSettings(account_id=settings.account_id, request_timeout_s=settings.request_timeout_s),
            self._world.record,
        )

    def connecting_begun(self) -> None:
        """The connector begins."""
        self.counters.connects += 1
        self._machine.connect_begun()

    def link_made(self, link: OpenApiProtocol) -> None:
        """TCP is up."""
        self._link = link
        if self.state is not State.CONNECTING:  # stopped or given up meanwhile
            self._clock.callLater(0, link.abort)

    def link_secured(self, link: OpenApiProtocol) -> None:
        """TLS is up."""
        if link is self._link and self.state is State.CONNECTING:
            self._watch(link)
            self._machine.secured()

    def link_garbled(self, link: OpenApiProtocol, reason: str) -> None:
        """The other end does not speak the protocol."""
        if link is self._link:
            self._drop(Cause(Kind.NETWORK, f"garbage from cTrader: {reason}"))

    def link_lost(self, link: OpenApiProtocol, reason: Failure) -> None:
        """The connection is gone."""
        if link is self._link:
            self._link = self._book_is_of = None
            self.counters.losses += 1
            if self._cause is None:
                self._cause = cause_of_loss(reason, self._settings)

    def connection_failed(self, reason: Failure) -> None:
        """There was no connection."""
        self.counters.connect_failures += 1
        cause = cause_of_loss(reason, self._settings)
        self._machine.gone(self._cause or cause)

    def connection_gone(self) -> None:
        """The connection is gone, and the connector is free."""
        self._machine.gone(self._cause or Cause(Kind.NETWORK, "connection lost"))

    def _watch(self, link: OpenApiProtocol) -> None:
        link.listen(ProtoOAClientDisconnectEvent, self._client_disconnected)
        link.listen(ProtoOAAccountDisconnectEvent, self._account_disconnected)
        link.listen(ProtoOAAccountsTokenInvalidatedEvent, self._token_invalidated)
        link.listen(ProtoOASymbolChangedEvent, self._symbols_changed)
        link.listen(ProtoOAErrorRes, self._error_came)
        link.listen(ProtoErrorRes, self._error_came)
        self._beat()

    def _beat(self) -> None:
        self._after("heartbeat", self._settings.heartbeat_s, self._beat_now)

    def _beat_now(self) -> None:
        if self._link is not None:
            self._link.heartbeat()
            self._beat()

    # Loss events.

    def _client_disconnected(self, event: ProtoOAClientDisconnectEvent) -> None:
        self._drop(Cause(Kind.NETWORK, f"cTrader ended the application's session: {event.reason or 'no reason given'}"))

    def _account_disconnected(self, event: ProtoOAAccountDisconnectEvent) -> None:
        if event.ctidTraderAccountId == self._settings.account_id:
            self._account_lost("cTrader ended the account's session")

    def _token_invalidated(self, event: ProtoOAAccountsTokenInvalidatedEvent) -> None:
        if self._settings.account_id in event.ctidTraderAccountIds:
            # Whoever replaced the token may have written the new one to the token file: it is read again.
            self._account_lost(f"the access token was invalidated: {event.reason or 'no reason given'}")

    def _account_lost(self, why: str) -> None:
        self.counters.account_losses += 1
        self._log.warn("{why}: authorising the account again", why=why)
        if self.state in (State.SYMBOLS, *_FLOWING):
            self._account_losses += 1
            if self._account_losses > MAX_ACCOUNT_LOSSES:
                self._drop(Cause(Kind.NETWORK, f"{why}, {self._account_losses} times in a row"))
                return
        self._machine.account_lost()

    def _symbols_changed(self, event: ProtoOASymbolChangedEvent) -> None:
        if event.ctidTraderAccountId == self._settings.account_id and self._book_is_of is self._link:
            refresh = Deferred.fromCoroutine(self._refresh_symbols(list(event.symbolId)))
            refresh.addErrback(lambda f: f.trap(LinkLost, CancelledError))
            refresh.addErrback(lambda f: self._log.failure("refreshing symbols failed", f))

    async def _refresh_symbols(self, ids: list[int]) -> None:
        link = self._link
        if link is None:
            return
        try:
            changed = await self.book.refresh(link, self._settings.account_id, ids)
        except (OpenApiError, UpstreamError) as e:
            if link is self._link:
                self._request_failed(e)
            return
        if changed and link is self._link:
            self._log.info("{count} symbols changed", count=len(ids))
            self._listener.symbols_loaded(self.book.symbols())
            self.subscriptions.book_changed()

    def _error_came(self, message: ProtoOAErrorRes | ProtoErrorRes) -> None:
        self._request_failed(api_error(message))

    def _request_failed(self, error: Exception) -> None:
        """An error outside of a step: what it means for the session."""
        if isinstance(error, LinkLost):
            return
        kind = error.error_class if isinstance(error, OpenApiError) else None
        if kind is ErrorClass.REAUTH_ACCOUNT or (kind is ErrorClass.TOKEN and self.state in _FLOWING):
            self._account_lost(str(error))
        elif isinstance(error, OpenApiError) and not self._ends_the_session(error):
            self._log.warn("cTrader answered {error}", error=str(error))
        else:
            self._drop(cause_of(error, self._settings))

    def _ends_the_session(self, error: OpenApiError) -> bool:
        return error.error_class in (
            ErrorClass.REAUTH_APPLICATION,
            ErrorClass.FATAL_APPLICATION,
            ErrorClass.FATAL_ACCOUNT,
            ErrorClass.TOKEN,
        ) or error.code in ("SERVER_IS_UNDER_MAINTENANCE", "CONNECTIONS_LIMIT_EXCEEDED")

    # From the subscriptions.

    def symbol_confirmed(self, name: str) -> None:
        """cTrader confirmed the symbol."""
        self._listener.symbol_confirmed(name)

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """cTrader refused the symbol."""
        self._log.warn("symbol {name} refused: {code} {message}", name=name, code=code, message=message)
        self._listener.symbol_refused(name, code, message)

    def subscriptions_settled(self) -> None:
        """All that clients want is subscribed."""
        if self.state is State.RESTORING:
            self._machine.restored()

    def subscriptions_failed(self, error: Exception) -> None:
        """A subscription failed in a way that is the session's to mend."""
        self._request_failed(error)

    # The machine.

    def ignore(self, state: State, name: str) -> None:
        """An input came that means nothing in *state*."""
        self.counters.ignored_inputs += 1

    def _drop(self, cause: Cause) -> None:
        if self._cause is None:
            self._cause = cause
        self._machine.drop(cause)

    def enter(self, state: State, cause: Cause | None) -> None:
        """The machine is in *state* now: tell, then act."""
        before, self.state = self.state, state
        self.counters.state = FEED_STATES[state]
        self._end_step()
        if before in _FLOWING and state not in _FLOWING:
            self.subscriptions.detach()
            self._listener.feed_lost(self._loss_word(state, cause), None)
        if state not in _ON_THE_WAY:
            self._cancel("way")
        self._tell(state, cause)
        getattr(self, f"_enter_{state.name.lower()}")(cause)

    @staticmethod
    def _loss_word(state: State, cause: Cause | None) -> str:
        if state is State.ACCOUNT_AUTH:
            return "account-disconnect"
        return "stale" if cause is not None and cause.kind is Kind.STALE else "upstream-disconnect"

    def _enter_connecting(self, _: Cause | None) -> None:
        self._cause = None
        self._established = False
        self._begin_way()
        timeout = self._settings.connect_timeout_s
        where = f"{self._settings.host}:{self._settings.port}"
        self._log.info("connecting to {where}", where=where)
        self._after(
            "connect",
            timeout,
            lambda: self._drop(Cause(Kind.NETWORK, f"no TLS connection to {where} within {timeout:g} s")),
        )

    def _begin_way(self) -> None:
        timeout = self._settings.live_timeout_s
        self._after("way", timeout, lambda: self._drop(Cause(Kind.NETWORK, f"not live within {timeout:g} s")))

    def _enter_application_auth(self, _: Cause | None) -> None:
        self._cancel("connect")
        assert self._link is not None
        self._run(authorise_application(self._link, self._settings), self._machine.application_accepted)

    def _enter_account_auth(self, _: Cause | None) -> None:
        if "way" not in self._timers or not self._timers["way"].active():
            self._begin_way()
        assert self._link is not None
        self._run(self._account.run(self._link), self._machine.account_accepted)

    def _enter_symbols(self, _: Cause | None) -> None:
        self._run(self._learn_symbols(), self._machine.symbols_known)

    async def _learn_symbols(self) -> None:
        link = self._link
        if link is None or self._book_is_of is link:
            return  # the account was authorised again on the same connection: the ids hold
        book = SymbolBook()
        await book.load(link, self._settings.account_id)
        self.book, self._book_is_of = book, link
        self._log.info("{count} symbols", count=len(book.by_name))
        self._listener.symbols_loaded(book.symbols())

    def _enter_restoring(self, _: Cause | None) -> None:
        assert self._link is not None
        self.subscriptions.attach(self._link, self.book, self._settings.account_id)

    def _enter_live(self, _: Cause | None) -> None:
        if self.counters.live_since_s:
            self.counters.reconnects += 1
        self.counters.live_since_s = self._world.monotonic()
        self._log.info("live: {count} symbols subscribed", count=len(self.subscriptions.confirmed))
        self._after("stable", self._settings.stable_s, self._proved_stable)

    def _proved_stable(self) -> None:
        self._backoff.reset()
        self._account_losses = 0

    def _enter_degraded(self, _: Cause | None) -> None:
        pass

    def _enter_dropping(self, cause: Cause | None) -> None:
        self._cancel("connect", "heartbeat", "stable")
        self._log.warn("ending the connection: {why}", why=cause.message if cause else "")
        if self._link is not None:
            self._link.abort()
        else:
            self._factory.give_up()

    def _enter_waiting(self, cause: Cause | None) -> None:
        self._cancel("connect", "heartbeat", "stable")
        if cause is None:
            self._factory.start()
            return
        delay = self._backoff.delay(cause)
        self._log.info("{why}; next try in {delay} s", why=cause.message, delay=round(delay, 1))
        self._factory.retry_in(delay)

    def _enter_stopping(self, _: Cause | None) -> None:
        self._cancel("connect", "heartbeat", "stable")
        if self._link is None:
            self._factory.give_up()
        else:
            self._after("stop", self._settings.stop_timeout_s, self._link.abort)
            self._link.close()

    def _enter_stopped(self, _: Cause | None) -> None:
        for timer in tuple(self._timers):
            self._cancel(timer)
        self._factory.stopTrying()
        self.subscriptions.stop()
        stopped, self._stopped = self._stopped, []
        for deferred in stopped:
            deferred.callback(None)

    # Helpers.

    def _run(self, flow: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
        """Run a step of this state; *then* is the input that it ends with."""
        step = self._step = Deferred.fromCoroutine(flow)

        def failed(failure: Failure) -> None:
            error = failure.value
            if step is not self._step:
                failure.trap(UpstreamError, CancelledError)
            elif isinstance(error, SessionFailed):
                self._drop(error.cause)
            elif isinstance(error, OpenApiError) and error.error_class is ErrorClass.REAUTH_ACCOUNT:
                self._account_lost(str(error))
            elif isinstance(error, LinkLost):
                pass  # the loss itself is told by the link
            elif isinstance(error, UpstreamError):
                self._drop(cause_of(error, self._settings))
            else:
                self._log.failure("a step of the session failed", failure)
                self._drop(Cause(Kind.NETWORK, f"internal error: {type(error).__name__}"))

        def done(_: None) -> None:
            if step is self._step:
                self._step = None
                then()

        step.addCallbacks(done, failed)
        step.addErrback(lambda f: self._log.failure("the session failed", f))

    def _end_step(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.cancel()

    def _after(self, name: str, delay_s: float, call: Callable[[], None]) -> None:
        self._cancel(name)
        self._timers[name] = self._clock.callLater(delay_s, call)

    def _cancel(self, *names: str) -> None:
        for name in names:
            timer = self._timers.pop(name, None)
            if timer is not None and timer.active():
                timer.cancel()

    def _tell(self, state: State, cause: Cause | None) -> None:
        status, message, code = self._status_of(state, cause)
        told = FeedStatus(status, FEED_STATES[state], message, code)
        if told != self._status:
            self._status = told
            self._listener.status_changed(told)

    def _status_of(self, state: State, cause: Cause | None) -> tuple[Status, str, str]:
        if state in _FLOWING:
            self._trouble, self._established = None, True
            return Status.CONNECTED, "", ""
        if state in (State.STOPPING, State.STOPPED):
            return Status.DISCONNECTED, "", ""
        if cause is not None:
            self._trouble = cause if cause.kind.needs_mending else None
            if self._trouble is None:
                status = Status.DISCONNECTED if self._established else Status.CTRADER_CONNECTING
                return status, cause.message, cause.code
        if self._trouble is not None:
            # It stays an error until it is mended, through every slow retry.
            return Status.ERROR, self._trouble.message, self._trouble.code
        return Status.CTRADER_CONNECTING, "", ""
