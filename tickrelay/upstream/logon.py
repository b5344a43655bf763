"""The steps from a secured connection to a loaded symbol table, one at a time, under one deadline.

A step runs as one coroutine and belongs to the state that began it: when the session enters the next state, the step
is cancelled, and what it still brings after that is ignored.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.clock import Clock
from tickrelay.upstream.authorization import AccountAuthorizer, authorise_application
from tickrelay.upstream.errors import Cause, Kind, UpstreamError
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.symbol_loader import SymbolLoader
from tickrelay.upstream.timers import Timers


class LogonOwner(Protocol):
    """What the logon reports to: the session."""

    def step_failed(self, error: BaseException) -> None:
        """The current step failed; the session cannot go on without it."""

    def drop(self, cause: Cause) -> None:
        """A deadline has passed."""


class Logon:
    """Made once a service; every step is run at most once in a state of the session."""

    _log = Logger()

    def __init__(
        self,
        settings: CTraderSettings,
        clock: Clock,
        account: AccountAuthorizer,
        symbols: SymbolLoader,
        owner: LogonOwner,
    ) -> None:
        self._settings = settings
        self._account = account
        self._symbols = symbols
        self._owner = owner
        self._timers = Timers(clock)
        self._link: OpenApiProtocol | None = None
        self._step: Deferred[None] | None = None

    # Deadlines.

    def connecting(self) -> None:
        """Name look-up, TCP and TLS begin: both deadlines run."""
        timeout_s = self._settings.connect_timeout_s
        cause = Cause(
            Kind.NETWORK, f"no TLS connection to {self._settings.host}:{self._settings.port} within {timeout_s:g} s"
        )
        self._timers.after("connect", timeout_s, lambda: self._owner.drop(cause))
        self._start_logon_deadline()

    def finished(self) -> None:
        """Live, or no connection any more: no deadline runs."""
        self._timers.cancel_all()
        self._link = None

    def _start_logon_deadline(self) -> None:
        self._timers.after("logon", self._settings.live_timeout_s, self._logon_deadline_passed)

    def _logon_deadline_passed(self) -> None:
        if self._link is not None and self._link.is_paused:
            self._start_logon_deadline()  # a new connection would ask again before it may
        else:
            self._owner.drop(Cause(Kind.NETWORK, f"not live within {self._settings.live_timeout_s:g} s"))

    # Steps. *then* is called when the step has succeeded.

    def authorise_application(self, link: OpenApiProtocol, then: Callable[[], None]) -> None:
        """TLS is complete: log the application in."""
        self._link = link
        self._timers.cancel("connect")
        self._run(authorise_application(link, self._settings), then)

    def authorise_account(self, link: OpenApiProtocol, then: Callable[[], None]) -> None:
        """Open the account's session; after a loss of it the deadline begins anew."""
        self._link = link
        if not self._timers.running("logon"):
            self._start_logon_deadline()
        self._run(self._account.run(link), then)

    def load_symbols(self, link: OpenApiProtocol, then: Callable[[], None]) -> None:
        """Load the symbol table."""
        self._run(self._symbols.load(link), then)

    def end_step(self) -> None:
        """The state that began the step is left."""
        step, self._step = self._step, None
        if step is not None:
            step.cancel()

    def _run(self, flow: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
        step = self._step = Deferred.fromCoroutine(flow)

        def done(_: None) -> None:
            if step is self._step:
                self._step = None
                then()

        def failed(failure: Failure) -> None:
            if step is not self._step:
                failure.trap(UpstreamError, CancelledError)
                return
            error = failure.value
            assert error is not None
            if not isinstance(error, UpstreamError):
                self._log.failure("a step of the session failed", failure)
            self._owner.step_failed(error)

        step.addCallbacks(done, failed)
        step.addErrback(lambda f: self._log.failure("the session failed", f))
