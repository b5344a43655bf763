"""What the process does on each signal. The handlers themselves only hand over to the reactor.

SIGINT and SIGTERM are Twisted's own, once. Without a handler here SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 would end the
process without a drain.
"""

import errno
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import Logger

from tickrelay.model.errors import SettingError

STOP = ("SIGINT", "SIGTERM", "SIGQUIT", "SIGBREAK")
"""Those that end the service, as far as the system has them."""


class Signals:
    """The handlers of one process; *reload* reads the settings again (raises SettingError), *rotate* begins a new log
    file (False: there is none), *hurry* ends a drain.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        reload: Callable[[], None] | None,
        rotate: Callable[[], bool],
        hurry: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._reload = reload
        self._rotate = rotate
        self._hurry = hurry
        self._stopping = False
        self._had_terminal = False

    def install(self, *, daemon: bool) -> None:
        """Handle signals from now on; what comes before the reactor runs is done when it does."""
        # nohup leaves SIGHUP ignored: then the service is to outlive its terminal.
        self._had_terminal = not daemon and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and _terminal()
        self._handle("SIGHUP", self._hang_up)
        self._handle("SIGUSR1", self._user_1)
        self._handle("SIGUSR2", self._user_2)
        if signal.getsignal(signal.SIGQUIT) != signal.SIG_IGN:  # a shell's background job ignores it, as it does SIGINT
            self._handle("SIGQUIT", self._quit)
        self._reactor.callWhenRunning(self._limit_twisteds)

    def stopping(self) -> None:
        """The service has begun to stop: signals can only make it stop sooner."""
        self._stopping = True
        for name in STOP:
            self._handle(name, self._hurry)

    def _handle(self, name: str, action: Callable[[], None]) -> None:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: self._reactor.callFromThread(action))

    def _limit_twisteds(self) -> None:
        # Twisted (26.10) stops the reactor at each signal: at a second one before it has begun to stop it logs a
        # ReactorNotRunning with its traceback. (Handlers of others, such as pdb's, are left alone.)
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            number = getattr(signal, name, None)
            twisteds = getattr(self._reactor, f"sig{name[3:].title()}")
            if number is not None and signal.getsignal(number) == twisteds:
                signal.signal(number, partial(self._once, twisteds))

    def _once(self, twisteds: Callable[..., object], *received: object) -> None:
        if not self._stopping:
            self._stopping = True
            twisteds(*received)

    def _hang_up(self) -> None:
        if self._had_terminal and not _terminal():
            self._stop("the terminal was closed")
        elif self._reload is None or self._stopping:
            self._log.info("SIGHUP: nothing to read again{when}", when=" while stopping" if self._stopping else "")
        else:
            try:
                self._reload()
            except SettingError as e:
                problems = "; ".join(e.problems)
                self._log.error("SIGHUP: the settings stay as they were: {problems}", problems=problems)

    def _user_1(self) -> None:
        done = self._rotate()
        self._log.info("SIGUSR1: {done}", done="a new log file begins" if done else "ignored, there is no log file")

    def _user_2(self) -> None:
        self._log.info("SIGUSR2: ignored")

    def _quit(self) -> None:
        self._stop("received SIGQUIT")

    def _stop(self, why: str) -> None:
        if not self._stopping:
            self._stopping = True
            self._log.info("{why}, shutting down", why=why)
            self._reactor.stop()


def _terminal() -> bool:
    """Whether the process has a controlling terminal. It has none any more once that was closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError as e:
        return e.errno in (errno.EMFILE, errno.ENFILE)  # these say nothing of the terminal
    return True
