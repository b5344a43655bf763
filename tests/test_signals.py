"""What the process does on each signal."""

import signal
from collections.abc import Callable, Iterator

import pytest

from twisted.internet.error import ReactorNotRunning
from twisted.logger import LogEvent, LogLevel, formatEvent

from tickrelay import signals
from tickrelay.model.errors import SettingError
from tickrelay.signals import Signals

NAMES = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """None of them is ignored, as under nohup or in the background; the handlers of this process are restored."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in NAMES}
    for name in NAMES:
        if before[name] is signal.SIG_IGN:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


class Reactor:
    """Runs what signal handlers hand over when it is told to."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.stops = 0
        self.received: list[int] = []

    def callFromThread(self, call: Callable[[], object]) -> None:
        """Keep it."""
        self.calls.append(call)

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        """It runs, with its handlers in their places."""
        signal.signal(signal.SIGTERM, self.sigTerm)
        signal.signal(signal.SIGINT, self.sigInt)
        call()

    def sigTerm(self, number: int, frame: object = None) -> None:
        """As Twisted's, which ends the process by the signal later."""
        self.received.append(number)
        self.callFromThread(self.stop)

    def sigInt(self, number: int, frame: object = None) -> None:
        """The same."""
        self.sigTerm(number)

    sigBreak = sigInt

    def stop(self) -> None:
        """As Twisted's: once."""
        if self.stops:
            raise ReactorNotRunning
        self.stops += 1

    def turn(self) -> None:
        """Run what was handed over."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Service:
    """What signals can ask for, counted."""

    def __init__(self, *, fails: bool = False, has_file: bool = False) -> None:
        self.reloads = self.hurries = self.rotations = 0
        self._fails = fails
        self._has_file = has_file

    def reload(self) -> None:
        """Count, or fail."""
        if self._fails:
            raise SettingError("PORT must be a number", "HOST is odd")
        self.reloads += 1

    def rotate(self) -> bool:
        """Count."""
        self.rotations += 1
        return self._has_file

    def hurry(self) -> None:
        """Count."""
        self.hurries += 1


def installed(service: Service, *, reads: bool = True, daemon: bool = True) -> tuple[Reactor, Signals]:
    """The handlers of a service."""
    reactor = Reactor()
    made = Signals(reactor, service.reload if reads else None, service.rotate, service.hurry)
    made.install(daemon=daemon)
    return reactor, made


def said(logged: list[LogEvent]) -> list[str]:
    """The log lines."""
    return [str(formatEvent(event)) for event in logged]


def test_sighup_reads_the_settings_again(logged: list[LogEvent]) -> None:
    """In the reactor, not in the handler."""
    service = Service()
    reactor, _ = installed(service)
    signal.raise_signal(signal.SIGHUP)
    assert service.reloads == 0
    reactor.turn()
    assert service.reloads == 1 and reactor.stops == 0 and not logged


def test_settings_that_cannot_be_read_are_one_line(logged: list[LogEvent]) -> None:
    """With every problem in it."""
    reactor, _ = installed(Service(fails=True))
    signal.raise_signal(signal.SIGHUP)
    reactor.turn()
    assert said(logged) == ["SIGHUP: the settings stay as they were: PORT must be a number; HOST is odd"]
    assert logged[0]["log_level"] is LogLevel.error


def test_sighup_of_a_program_without_files_of_settings(logged: list[LogEvent]) -> None:
    """Ignored with a line."""
    reactor, _ = installed(Service(), reads=False)
    signal.raise_signal(signal.SIGHUP)
    reactor.turn()
    assert said(logged) == ["SIGHUP: nothing to read again"]


def test_signals_that_mean_nothing_are_ignored(logged: list[LogEvent]) -> None:
    """With a line each."""
    reactor, _ = installed(Service())
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR2)
    reactor.turn()
    assert said(logged) == ["SIGUSR1: ignored, there is no log file", "SIGUSR2: ignored"]
    assert reactor.stops == 0


def test_sigusr1_begins_a_new_log_file(logged: list[LogEvent]) -> None:
    """As twistd does."""
    service = Service(has_file=True)
    reactor, _ = installed(service)
    signal.raise_signal(signal.SIGUSR1)
    reactor.turn()
    assert service.rotations == 1 and said(logged) == ["SIGUSR1: a new log file begins"]


def test_sigquit_drains(logged: list[LogEvent]) -> None:
    """Without a core dump; two of them at once are one."""
    reactor, _ = installed(Service())
    signal.raise_signal(signal.SIGQUIT)
    signal.raise_signal(signal.SIGQUIT)
    reactor.turn()
    assert reactor.stops == 1 and said(logged)[0] == "received SIGQUIT, shutting down"


@pytest.mark.parametrize("first", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_several_at_once_stop_once(first: str) -> None:
    """Before the reactor has had a turn; Twisted's own handlers would stop it at each."""
    reactor, _ = installed(Service())
    for name in (first, "SIGTERM", "SIGINT", "SIGQUIT", "SIGTERM"):
        signal.raise_signal(getattr(signal, name))
    reactor.turn()
    assert reactor.stops == 1
    assert reactor.received[:1] == [getattr(signal, first if first != "SIGQUIT" else "SIGTERM")]


def test_a_debuggers_handler_is_left_alone() -> None:
    """That of twistd --debug."""
    received: list[int] = []

    class Debugged(Reactor):
        def callWhenRunning(self, call: Callable[[], object]) -> None:
            signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
            call()

    reactor, service = Debugged(), Service()
    Signals(reactor, service.reload, service.rotate, service.hurry).install(daemon=True)
    for _ in range(2):
        signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGINT] * 2


def test_sigquit_stays_ignored_where_it_was() -> None:
    """As by a shell for what it runs in the background."""
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    installed(Service())
    assert signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN


def test_while_stopping(logged: list[LogEvent]) -> None:
    """What would end the service ends the drain; nothing is read any more."""
    service = Service()
    reactor, made = installed(service)
    made.stopping()
    for name in NAMES:
        signal.raise_signal(getattr(signal, name))
    reactor.turn()
    assert (service.hurries, service.reloads, reactor.stops) == (3, 0, 0)
    assert said(logged)[0] == "SIGHUP: nothing to read again while stopping"


def test_a_terminal_that_was_closed_ends_the_service(logged: list[LogEvent], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the foreground of a terminal; else it would go on unseen, with the port taken."""
    there = True
    monkeypatch.setattr(signals, "_terminal", lambda: there)
    service = Service()
    reactor, _ = installed(service, daemon=False)
    signal.raise_signal(signal.SIGHUP)
    reactor.turn()
    assert service.reloads == 1 and reactor.stops == 0
    there = False
    signal.raise_signal(signal.SIGHUP)
    reactor.turn()
    assert service.reloads == 1 and reactor.stops == 1
    assert said(logged) == ["the terminal was closed, shutting down"]


@pytest.mark.parametrize("nohup", [True, False])
def test_without_a_terminal_it_cannot_be_closed(nohup: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon has none, and nohup says that its end is to be survived."""
    there = True
    monkeypatch.setattr(signals, "_terminal", lambda: there)
    if nohup:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    service = Service()
    reactor, _ = installed(service, daemon=not nohup)
    there = False
    signal.raise_signal(signal.SIGHUP)
    reactor.turn()
    assert service.reloads == 1 and reactor.stops == 0
