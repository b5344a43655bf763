"""CTraderSession: what is done in each state of the machine, and who is told.

Everything that happens comes in here (as ConnectionOwner, EventsOwner, SubscriptionsOwner, WatchdogOwner), becomes an
input of the machine, and the machine calls `enter`. A step on the way to live runs as one coroutine; it ends with its
state: what it still brings after that is ignored.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.feed import IFeedListener
from tickrelay.upstream.authorization import AccountAuthorizer, Redactor, authorise_application
from tickrelay.upstream.backoff import Backoff
from tickrelay.upstream.causes import cause_of
from tickrelay.upstream.connection import Connection, SessionDependencies
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Cause, Kind, UpstreamError
from tickrelay.upstream.machine import FEED_STATES, FLOWING, State, make_machine
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import Reaction, reaction
from tickrelay.upstream.server_events import ServerEvents
from tickrelay.upstream.status_reporter import StatusReporter
from tickrelay.upstream.subscriptions import Subscriptions
from tickrelay.upstream.symbol_table import SymbolTable
from tickrelay.upstream.timers import Timers
from tickrelay.upstream.tokens import TokenStore
from tickrelay.upstream.watchdog import FeedWatchdog

MAX_ACCOUNT_LOSSES = 3
"""So often in a row the account is authorised again on one connection; after that a new connection is tried."""

_ON_THE_WAY = frozenset({State.CONNECTING, State.APPLICATION_AUTH, State.ACCOUNT_AUTH, State.SYMBOLS, State.RESTORING})


class CTraderSession:
    """The one session of a service, across all its connections. *listener* is told what the feed brings."""

    _log = Logger()

    def __init__(
        self, settings: CTraderSettings, listener: IFeedListener, dependencies: SessionDependencies, counters: Counters
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._dependencies = dependencies
        self.counters = counters
        self.state = State.IDLE
        self.table = SymbolTable()
        self.subscriptions = Subscriptions(dependencies.clock, self, settings.unsubscribe_linger_s)
        self.watchdog = FeedWatchdog(dependencies.clock, settings, counters, self.subscriptions, self)
        self._status_reporter = StatusReporter(listener)
        self._backoff = Backoff(
            dependencies.clock,
            network_s=(settings.retry_least_s, settings.retry_most_s),
            credentials_s=(settings.refused_least_s, settings.refused_most_s),
            rng=dependencies.rng,
        )
        tokens = TokenStore(settings.access_token, settings.refresh_token, settings.token_file, dependencies.clock)
        self._account = AccountAuthorizer(settings, tokens, counters, dependencies.clock)
        self._redact = Redactor(settings, tokens)
        self._events = ServerEvents(settings.account_id, self, self._redact)
        self._timers = Timers(dependencies.clock)
        self._machine = make_machine(self)
        self._connection = Connection(settings, dependencies, counters, listener.spot, self._redact, self)
        self._table_is_of: OpenApiProtocol | None = None
        self._outdated: set[int] = set()
        """Ids of symbols that changed while they could not be asked for."""
        self._step: Deferred[None] | None = None
        self._cause: Cause | None = None
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

    # From the connection.

    def connecting_begun(self) -> None:
        """The connector begins."""
        self._machine.connect_begun()

    def expects_link(self) -> bool:
        """Is a connection still wanted?"""
        return self.state is State.CONNECTING

    def link_secured(self, link: OpenApiProtocol) -> None:
        """TLS is up."""
        self._events.listen(link)
        self.watchdog.watch(link)
        self._machine.secured()

    def connection_gone(self, cause: Cause) -> None:
        """There is no connection; what ended it from here counts more than how it ended."""
        self._table_is_of = None
        self._machine.gone(self._cause or cause)

    # From the server's events and the subscriptions.

    def drop(self, cause: Cause) -> None:
        """The connection is of no use any longer; the first cause is the one that counts."""
        if self._cause is None:
            self._cause = cause
        self._machine.drop(self._cause)

    def account_lost(self, why: str) -> None:
        """The account's session is gone, the connection is not."""
        if self.state in (State.SYMBOLS, *FLOWING):
            self.counters.account_losses += 1
            self._account_losses += 1
            self._log.warn("{why}: authorising the account again", why=why)
            if self._account_losses > MAX_ACCOUNT_LOSSES:
                self.drop(Cause(Kind.NETWORK, f"{why}, {self._account_losses} times in a row"))
                return
        self._machine.account_lost()

    def symbols_changed(self, ids: list[int]) -> None:
        """These symbols are out of date: ask again, once the account is authorised and the table is loaded."""
        self._outdated.update(ids)
        if self.state in FLOWING:
            self._refresh_outdated()

    def _refresh_outdated(self) -> None:
        ids, self._outdated = self._outdated, set()
        if ids and self._connection.link is not None:
            refresh = Deferred.fromCoroutine(self._refresh_symbols(self._connection.link, ids))
            refresh.addErrback(lambda f: self._log.failure("refreshing symbols failed", f))

    async def _refresh_symbols(self, link: OpenApiProtocol, ids: set[int]) -> None:
        try:
            changed = await self.table.refresh(link, self._settings.account_id, ids)
        except UpstreamError as e:
            if link is self._connection.link:
                self.request_failed(e)
                if self.state not in FLOWING:  # where the account is authorised again, they are asked for again
                    self._outdated |= ids
            return
        if changed and link is self._connection.link:
            self._log.info("{count} symbols changed", count=len(ids))
            self._listener.symbols_loaded(self.table.symbols())
            self.subscriptions.table_changed()

    def request_failed(self, error: Exception) -> None:
        """An error outside of a step: what it means for the session."""
        self._react(error, reaction(error, self.state))

    def _react(self, error: BaseException, chosen: Reaction) -> None:
        if chosen is Reaction.REAUTHORISE:
            self.account_lost(str(error))
        elif chosen is Reaction.DROP:
            self.drop(cause_of(error, self._settings))
        elif chosen is not Reaction.IGNORE:
            self._log.warn("cTrader answered {error}", error=str(error))

    subscriptions_failed = request_failed

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

    # From the watchdog.

    def link_dead(self, cause: Cause) -> None:
        """The connection carries nothing that is worth having."""
        self.drop(cause)

    def data_silent(self, message: str) -> None:
        """No spots though the market is open."""
        self._log.warn("{message}: subscribing again", message=message)
        self._listener.feed_lost("stale", sorted(self.watchdog.silent))
        self._machine.data_dead()
        if self.state is State.DEGRADED:
            self._status_reporter.tell(State.DEGRADED, message=message)

    def data_flows(self) -> None:
        """Spots flow again."""
        self._machine.data_back()

    def symbols_silent(self, names: list[str]) -> None:
        """Some symbols have no spots though others have."""
        self._log.warn("no ticks of {names} though their market is open: subscribing again", names=", ".join(names))
        self._listener.feed_lost("stale", names)

    # The machine.

    def ignore(self, state: State, name: str) -> None:
        """An input came that means nothing in *state*."""
        self.counters.ignored_inputs += 1

    def enter(self, state: State, cause: Cause | None) -> None:
        """The machine is in *state* now: tell, then act."""
        before, self.state = self.state, state
        self.counters.state = FEED_STATES[state]
        self._end_step()
        if before in FLOWING and state not in FLOWING:
            self.subscriptions.detach()
            self.watchdog.suspend()
            self._listener.feed_lost(_loss_word(state, cause), None)
        if state not in _ON_THE_WAY:
            self._timers.cancel("way")
        if state is not State.DEGRADED and not (state is State.WAITING and cause is None):
            self._status_reporter.tell(state, cause)
        enter: Callable[[Cause | None], None] | None = getattr(self, f"_enter_{state.name.lower()}", None)
        if enter is not None:
            enter(cause)

    def _enter_connecting(self, _: Cause | None) -> None:
        self._cause = None
        self._begin_way()
        timeout = self._settings.connect_timeout_s
        where = f"{self._settings.host}:{self._settings.port}"
        self._log.info("connecting to {where}", where=where)
        self._timers.after(
            "connect",
            timeout,
            lambda: self.drop(Cause(Kind.NETWORK, f"no TLS connection to {where} within {timeout:g} s")),
        )

    def _begin_way(self) -> None:
        self._timers.after("way", self._settings.live_timeout_s, self._way_over)

    def _way_over(self) -> None:
        link = self._connection.link
        if link is not None and link.told_to_wait:
            self._begin_way()  # a new connection would ask again before it may
        else:
            self.drop(Cause(Kind.NETWORK, f"not live within {self._settings.live_timeout_s:g} s"))

    def _enter_application_auth(self, _: Cause | None) -> None:
        self._timers.cancel("connect")
        assert self._connection.link is not None
        self._run(authorise_application(self._connection.link, self._settings), self._machine.application_accepted)

    def _enter_account_auth(self, _: Cause | None) -> None:
        if not self._timers.running("way"):  # back from live
            self._begin_way()
        assert self._connection.link is not None
        self._run(self._account.run(self._connection.link), self._machine.account_accepted)

    def _enter_symbols(self, _: Cause | None) -> None:
        assert self._connection.link is not None
        self._run(self._learn_symbols(self._connection.link), self._machine.symbols_known)

    async def _learn_symbols(self, link: OpenApiProtocol) -> None:
        if self._table_is_of is link:
            return  # the account was authorised again on the same connection: the ids hold
        table = SymbolTable()
        self._outdated.clear()
        await table.load(link, self._settings.account_id)
        self.table, self._table_is_of = table, link
        self._log.info("{count} symbols", count=len(table.by_name))
        self._listener.symbols_loaded(table.symbols())

    def _enter_restoring(self, _: Cause | None) -> None:
        assert self._connection.link is not None
        self.subscriptions.attach(self._connection.link, self.table, self._settings.account_id)
        self.watchdog.judge(self.table)
        self._refresh_outdated()

    def _enter_live(self, _: Cause | None) -> None:
        if self._timers.running("stable"):
            return  # back from degraded
        if self.counters.live_since_s:
            self.counters.reconnects += 1
        self.counters.live_since_s = self._dependencies.clock.monotonic_s()
        self._log.info("live: {count} symbols subscribed", count=len(self.subscriptions.confirmed))
        self._timers.after("stable", self._settings.stable_s, self._proved_stable)

    def _proved_stable(self) -> None:
        self._backoff.reset()
        self._account_losses = 0

    def _leave_connection(self) -> None:
        self._timers.cancel("connect", "stable")
        self.watchdog.rest()

    def _enter_dropping(self, cause: Cause | None) -> None:
        self._leave_connection()
        self._connection.abort()

    def _enter_waiting(self, cause: Cause | None) -> None:
        self._leave_connection()
        if cause is None:
            self._connection.begin()
            return
        delay = self._backoff.delay(cause)
        if cause.kind.needs_mending:  # the relay logs the cause with the status `error`: once, not at every try
            self._log.info("next try in {delay} s", delay=round(delay, 1))
        else:
            self._log.info("{why}; next try in {delay} s", why=cause.message, delay=round(delay, 1))
        self._connection.retry_in(delay)

    def _enter_stopping(self, _: Cause | None) -> None:
        self._leave_connection()
        self._timers.after("stop", self._settings.stop_timeout_s, self._connection.abort)
        self._connection.close()

    def _enter_stopped(self, _: Cause | None) -> None:
        self._timers.cancel_all()
        self._connection.stop_trying()
        self.subscriptions.stop()
        stopped, self._stopped = self._stopped, []
        for deferred in stopped:
            deferred.callback(None)

    # Steps.

    def _run(self, flow: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
        """Run a step of this state; *then* is the input that it ends with."""
        step = self._step = Deferred.fromCoroutine(flow)

        def done(_: None) -> None:
            if step is self._step:
                self._step = None
                then()

        def failed(failure: Failure) -> None:
            if step is self._step:
                self._step_failed(failure)
            else:
                failure.trap(UpstreamError, CancelledError)

        step.addCallbacks(done, failed)
        step.addErrback(lambda f: self._log.failure("the session failed", f))

    def _step_failed(self, failure: Failure) -> None:
        error = failure.value
        assert error is not None
        if not isinstance(error, UpstreamError):
            self._log.failure("a step of the session failed", failure)
        self._react(error, reaction(error, self.state, needed=True))

    def _end_step(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.cancel()


def _loss_word(state: State, cause: Cause | None) -> str:
    """The word that clients see as the cause of a gap."""
    if state is State.ACCOUNT_AUTH:
        return "account-disconnect"
    return "stale" if cause is not None and cause.kind is Kind.STALE else "upstream-disconnect"
