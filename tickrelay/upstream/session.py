"""CTraderSession: what is done in each state of the machine, and what is reported to the relay.

Every event comes in here (this class is the owner of the connection, the logon, the server's events, the subscriptions
and the watchdog), becomes an input of the machine, and the machine calls `enter`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.feed import IFeedListener
from tickrelay.upstream.authorization import AccountAuthorizer, Redactor
from tickrelay.upstream.backoff import Backoff
from tickrelay.upstream.causes import cause_of
from tickrelay.upstream.connection import Connection, SessionDependencies
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Cause, Kind
from tickrelay.upstream.limited_log import LimitedLog
from tickrelay.upstream.logon import Logon
from tickrelay.upstream.machine import FEED_STATES, FLOWING, State, make_machine
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import Reaction, reaction
from tickrelay.upstream.server_events import ServerEvents
from tickrelay.upstream.status_reporter import StatusReporter, loss_word
from tickrelay.upstream.subscriptions import Subscriptions
from tickrelay.upstream.symbol_loader import SymbolLoader
from tickrelay.upstream.timers import Timers
from tickrelay.upstream.tokens import TokenStore
from tickrelay.upstream.watchdog import FeedWatchdog

MAX_ACCOUNT_LOSSES = 3
"""So often in a row the account is authorised again on one connection; after that a new connection is made."""

_ON_THE_WAY = frozenset({State.CONNECTING, State.APPLICATION_AUTH, State.ACCOUNT_AUTH, State.SYMBOLS, State.RESTORING})


class CTraderSession:
    """The one session of a service, across all its connections. *listener* gets what the feed brings."""

    _log = Logger()

    def __init__(
        self, settings: CTraderSettings, listener: IFeedListener, dependencies: SessionDependencies, counters: Counters
    ) -> None:
        clock = self._clock = dependencies.clock
        self._settings = settings
        self._listener = listener
        self.counters = counters
        self.state = State.IDLE
        self.subscriptions = Subscriptions(clock, self, settings.unsubscribe_linger_s)
        self.watchdog = FeedWatchdog(clock, settings, counters, self.subscriptions, self)
        self._limited = LimitedLog(self._log, clock.monotonic_s)
        self._status_reporter = StatusReporter(listener)
        self._backoff = Backoff(
            clock,
            network_s=(settings.retry_least_s, settings.retry_most_s),
            credentials_s=(settings.refused_least_s, settings.refused_most_s),
            rng=dependencies.rng,
        )
        tokens = TokenStore(settings.access_token, settings.refresh_token, settings.token_file, clock)
        redact = self.redact = Redactor(settings, tokens)
        self._symbols = SymbolLoader(settings.account_id, clock, self)
        self._logon = Logon(settings, clock, AccountAuthorizer(settings, tokens, counters, clock), self._symbols, self)
        self._events = ServerEvents(settings.account_id, self, redact)
        self._timers = Timers(clock)
        self._machine = make_machine(self)
        self._connection = Connection(settings, dependencies, counters, listener.spot, redact, self)
        self._cause: Cause | None = None
        """Why the current connection was dropped from here; None: it was not."""
        self._account_losses = 0
        self._stopped: list[Deferred[None]] = []

    # From the service.

    def start(self) -> None:
        """Begin connecting."""
        self._machine.start()

    def stop(self) -> "Deferred[None]":
        """Flush, then close with TLS close_notify; fires when the connection is gone, aborted after the deadline."""
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
        """Whether a connection is still wanted."""
        return self.state is State.CONNECTING

    def link_secured(self, link: OpenApiProtocol) -> None:
        """TLS is complete."""
        self._events.listen(link)
        self.watchdog.watch(link)
        self._machine.secured()

    def connection_gone(self, cause: Cause) -> None:
        """There is no connection; the cause for which it was dropped from here, if it was, comes before *cause*."""
        self._symbols.forget_link()
        self._machine.gone(self._cause or cause)

    # From the server's events, the logon, the symbols and the subscriptions.

    def drop(self, cause: Cause) -> None:
        """The connection is of no use any longer; of several causes the first counts."""
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

    def request_failed(self, error: Exception) -> None:
        """An error outside of a step of the logon."""
        self._react(error, reaction(error, self.state))

    def step_failed(self, error: BaseException) -> None:
        """A step of the logon failed."""
        self._react(error, reaction(error, self.state, needed=True))

    def _react(self, error: BaseException, chosen: Reaction) -> None:
        if chosen is Reaction.REAUTHORISE:
            self.account_lost(str(error))
        elif chosen is Reaction.DROP:
            self.drop(cause_of(error, self._settings))
        elif chosen is not Reaction.IGNORE:
            self._limited.warn("errors", "cTrader answered {error}", error=str(error))

    def symbols_outdated(self, ids: Iterable[int] = ()) -> None:
        """cTrader announced that these symbols changed, or it is time to ask for those that it announced before."""
        self._symbols.outdated(ids)
        if self.state in FLOWING:
            self._symbols.refresh()

    def symbols_loaded(self) -> None:
        """The symbol table is a new one."""
        self._listener.symbols_loaded(self._symbols.table.symbols())

    def symbols_refreshed(self) -> None:
        """Symbols of the table came, went or changed."""
        self._listener.symbols_loaded(self._symbols.table.symbols())
        self.subscriptions.table_changed()

    def symbol_confirmed(self, name: str) -> None:
        """cTrader confirmed the symbol's subscription."""
        self._listener.symbol_confirmed(name)

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """cTrader refused the symbol."""
        self._limited.warn("refusals", "{name} refused: {code} {message}", name=name, code=code, message=message)
        self._listener.symbol_refused(name, code, message)

    def subscriptions_settled(self) -> None:
        """All that clients want is subscribed."""
        if self.state is State.RESTORING:
            self._machine.restored()

    # From the watchdog.

    def data_silent(self, message: str) -> None:
        """No spots though the market is open."""
        self._log.warn("{message}: subscribing again", message=message)
        self._listener.feed_lost("stale", sorted(self.watchdog.silent))
        self._machine.data_dead()
        if self.state is State.DEGRADED:
            self._status_reporter.report(State.DEGRADED, message=message)

    def data_flows(self) -> None:
        """Spots flow again."""
        self._machine.data_back()

    def symbols_silent(self, names: list[str]) -> None:
        """Some symbols have no spots though others have."""
        self._log.warn("no ticks of {names} though their market is open: subscribing again", names=", ".join(names))
        self._listener.feed_lost("stale", names)

    # The machine.

    def ignore(self, state: State, name: str) -> None:
        """The input *name* has no row for *state*: it came too late."""
        self.counters.ignored_inputs += 1

    def enter(self, state: State, cause: Cause | None) -> None:
        """The machine is in *state* now: report it, then act. *cause*: of the input, where it has one."""
        before, self.state = self.state, state
        self.counters.state = FEED_STATES[state]
        self._logon.end_step()
        if before in FLOWING and state not in FLOWING:
            self.subscriptions.detach()
            self.watchdog.suspend()
            self._listener.feed_lost(loss_word(state, cause), None)
        if state not in _ON_THE_WAY:
            self._logon.finished()
        if state is not State.DEGRADED and not (state is State.WAITING and cause is None):
            self._status_reporter.report(state, cause)
        enter = self._ENTER.get(state)
        if enter is not None:
            enter(self, cause)

    @property
    def _link(self) -> OpenApiProtocol:
        assert self._connection.link is not None, "only in states that have a connection"
        return self._connection.link

    def _enter_connecting(self, _: Cause | None) -> None:
        self._cause = None
        self._log.info("connecting to {where}", where=f"{self._settings.host}:{self._settings.port}")
        self._logon.connecting()

    def _enter_application_auth(self, _: Cause | None) -> None:
        self._logon.authorise_application(self._link, self._machine.application_accepted)

    def _enter_account_auth(self, _: Cause | None) -> None:
        self._logon.authorise_account(self._link, self._machine.account_accepted)

    def _enter_symbols(self, _: Cause | None) -> None:
        self._logon.load_symbols(self._link, self._machine.symbols_known)

    def _enter_restoring(self, _: Cause | None) -> None:
        self.subscriptions.attach(self._link, self._symbols.table, self._settings.account_id)
        self.watchdog.judge(self._symbols.table)
        self._symbols.refresh()

    def _enter_live(self, _: Cause | None) -> None:
        if self._timers.running("stable"):
            return  # back from degraded
        if self.counters.live_since_s:
            self.counters.reconnects += 1
        self.counters.live_since_s = self._clock.monotonic_s()
        self._log.info("live: {count} symbols subscribed", count=len(self.subscriptions.confirmed))
        self._timers.after("stable", self._settings.stable_s, self._proved_stable)

    def _proved_stable(self) -> None:
        self._backoff.reset()
        self._account_losses = 0

    def _leave_connection(self) -> None:
        self._timers.cancel("stable")
        self.watchdog.idle()

    def _enter_dropping(self, _: Cause | None) -> None:
        self._leave_connection()
        self._connection.abort()

    def _enter_waiting(self, cause: Cause | None) -> None:
        self._leave_connection()
        if cause is None:
            self._connection.begin()
            return
        delay = self._backoff.delay(cause)
        # An operator's cause is logged by the relay with the status `error`: once, not at every try.
        why = "" if cause.kind.needs_operator else f"{cause.message}; "
        self._log.info("{why}next try in {delay} s", why=why, delay=round(delay, 1))
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

    _ENTER: ClassVar[Mapping[State, Callable[["CTraderSession", Cause | None], None]]] = {
        State.CONNECTING: _enter_connecting,
        State.APPLICATION_AUTH: _enter_application_auth,
        State.ACCOUNT_AUTH: _enter_account_auth,
        State.SYMBOLS: _enter_symbols,
        State.RESTORING: _enter_restoring,
        State.LIVE: _enter_live,
        State.DROPPING: _enter_dropping,
        State.WAITING: _enter_waiting,
        State.STOPPING: _enter_stopping,
        State.STOPPED: _enter_stopped,
    }
    """What is done on entering a state; nothing in those that are not here."""
