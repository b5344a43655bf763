"""What both twistd plugins do at their start: read the command line, prepare before twistd forks, refuse in one line.

twistd without ``--nodaemon`` forks between ``makeService`` and ``privilegedStartService``. What fails after the fork
reaches the terminal only as the first 100 bytes of a repr, and the log as a traceback: so all that can fail is done
in ``makeService``, where the terminal is still there.
"""

import contextlib
import getopt
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NoReturn, Protocol

from twisted.application.service import Application, IService, MultiService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized

from tickrelay import twistd_files
from tickrelay.config.spelling import closest
from tickrelay.logs.service_log import ServiceLog
from tickrelay.model.clock import Timer
from tickrelay.model.errors import Problems, SettingError
from tickrelay.signals import Signals

_log = Logger()


def steady(reactor: Any) -> Any:
    """The reactor with timers that nobody's setting of the clock can move: Twisted's run on the wall clock."""
    reactor.seconds = time.monotonic
    return reactor


class ReactorClock:
    """A reactor and the clocks of the machine as a `tickrelay.model.clock.Clock`."""

    def __init__(self, reactor: Any) -> None:
        self.call_later: Callable[[float, Callable[[], object]], Timer] = reactor.callLater

    monotonic_s = staticmethod(time.monotonic)

    @staticmethod
    def wall_ms() -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000


class OneLineOptions(usage.Options):
    """A command line whose mistakes are told in one line instead of the whole usage."""

    program = ""

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Called by twistd with what follows the program's name."""
        try:
            super().parseOptions(options)
        except usage.UsageError as e:
            raise SystemExit(f"{self.program}: {self._mistake(e)}") from None

    def opt_version(self) -> NoReturn:
        """Display the versions of tickrelay and Twisted, and exit."""
        print(f"tickrelay {version('tickrelay')} (Twisted {version('twisted')})")
        raise SystemExit(0)

    def parseArgs(self, *words: str) -> None:
        """There is nothing but options."""
        if words:
            hint = self.meant(words[0])
            raise usage.UsageError(f"unexpected {words[0]!r}; {f'did you mean {hint}?' if hint else 'see --help'}")

    def meant(self, word: str) -> str | None:
        """The option that someone forgot who wrote *word* alone; None: there is none to guess."""

    def _mistake(self, error: usage.UsageError) -> str:
        cause = error.__context__  # usage.Options keeps the text alone
        if not isinstance(cause, getopt.GetoptError) or cause.msg.endswith("argument"):
            return f"{error}; see --help" if cause else str(error)
        name = cause.opt
        dashed = f"--{name}" if len(name) > 1 else f"-{name}"
        if self.parent is not None and name in self.parent.synonyms:
            return f"{dashed} is an option of twistd: write it before {self.program}"
        like = closest(name, {option.rstrip("=").replace("_", "-") for option in self.longOpt})
        return f"unknown option {dashed}; {f'did you mean --{like}? See' if like else 'see'} --help"


class Preparing(Protocol):
    """A service that can do all that may fail before it starts."""

    where: str
    """Where it listens, for people."""

    def prepare(self, *, forking: bool = False) -> None:
        """Check and bind; *forking*: leave out what does not survive a fork. Raises SettingError."""

    def hurry(self) -> None:
        """Stop sooner: somebody waits for the end."""


class Prepared(MultiService):
    """What twistd starts: *service*, prepared as far as possible before twistd forks, and where it cannot start, the
    end of the process with one line for each problem.

    *log*: what twistd logs to, unless it was told of another logger. *reload*: reads the settings again, for SIGHUP;
    raises SettingError; None: there is nothing to read.
    """

    def __init__(
        self,
        service: Any,
        options: OneLineOptions,
        reactor: Any,
        log: ServiceLog | None = None,
        reload: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._program = options.program
        self._config: dict[str, Any] = dict(options.parent or {"nodaemon": True})
        self._daemon = not self._config.get("nodaemon")
        self._service_log = log or ServiceLog()
        self._signals = Signals(reactor, reload, self._service_log.rotate, service.hurry)
        self._signals.install(daemon=self._daemon)
        prepared: Preparing = service
        problems = Problems(twistd_files.problems(self._config))
        if not self._config.get("chroot"):  # else nothing is where it will be
            with problems:
                prepared.prepare(forking=self._daemon)
        if problems:
            self._refuse(SettingError(*problems))
        if self._daemon and not self._config.get("chroot"):
            print(f"{self._program}: {prepared.where}; runs in the background{self._files()}", flush=True)
        IService(service).setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Called by twistd, which then begins to log: to the component of its Application, if there is one."""
        if isinstance(parent, Componentized):
            observer = self._service_log.observer(self._config)
            if observer is not None:
                parent.setComponent(ILogObserver, observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Called by twistd after the fork."""
        self._service_log.start(self._reactor)
        try:
            super().privilegedStartService()
        except SettingError as e:
            if not self._daemon:
                sys.exit(self._lines(e))
            # twistd tells the process that waits at the terminal by an exception; on SystemExit it waits for ever. The
            # exception ends this process, and its traceback would go to the log after the line.
            _log.critical("{problems}", problems=self._lines(e))
            sys.excepthook = lambda *_: None
            raise

    def stopService(self) -> "Deferred[None]":
        """Called by twistd at the first signal; the next ones only make it stop sooner."""
        self._signals.stopping()
        stopped: Deferred[None] = super().stopService()
        return stopped

    def _refuse(self, error: SettingError) -> NoReturn:
        """End the process before twistd has begun to log: to the terminal, and to the log where it is another."""
        print(self._lines(error), file=sys.stderr)
        if twistd_files.log_file(self._config) or self._config.get("logger") or self._config.get("syslog"):
            # twistd keeps its logger to itself, but no other class reads --logfile, --logger and --syslog as it does.
            from twisted.scripts._twistd_unix import UnixAppLogger

            with contextlib.suppress(OSError):
                UnixAppLogger(self._config).start(Application(self._program))
                _log.critical("{problems}", problems=self._lines(error))
        raise SystemExit(1)

    def _lines(self, error: SettingError) -> str:
        return "\n".join(f"{self._program}: {problem}" for problem in error.problems)

    def _files(self) -> str:
        files = {"pid file": self._config.get("pidfile"), "log file": twistd_files.log_file(self._config)}
        return "".join(f", {what} {path}" for what, path in files.items() if path)
