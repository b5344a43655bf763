"""What both plugins do at their start."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from twisted.application.service import Application, Service
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel

from tickrelay.model.errors import SettingError
from tickrelay.startup import OneLineOptions, Prepared, steady


class Example(OneLineOptions):
    """A command line."""

    program = "example"
    optParameters = [["listen", None, None, ""], ["env-file", None, None, ""]]  # noqa: RUF012
    optFlags = [["simulate", None, ""], ["simulate-more", None, ""]]  # noqa: RUF012

    def meant(self, word: str) -> str | None:
        """Digits are where to listen."""
        return f"--listen tcp:{word}" if word.isdigit() else None


class Broken(Service):
    """A service whose preparation succeeds only before the fork, or not at all."""

    where = "listens nowhere"
    hurried = 0

    def __init__(self, early: bool) -> None:
        self.early = early

    def prepare(self, *, forking: bool = False) -> None:
        """Fail."""
        if self.early:
            raise SettingError("PORT must be a number", "HOST is odd")

    def hurry(self) -> None:
        """Count."""
        self.hurried += 1

    def privilegedStartService(self) -> None:
        """Fail later."""
        raise SettingError("the port is taken")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Each service installs its signal handlers: they go with the test."""
    names = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


class Fine(Broken):
    """A service that starts."""

    def __init__(self) -> None:
        super().__init__(early=False)

    def privilegedStartService(self) -> None:
        """Succeed."""


def options(**config: Any) -> Example:
    """A command line below twistd's with this *config*."""
    made = Example()
    made.parent = type(made)()
    made.parent.update(config)
    return made


def test_timers_do_not_follow_the_wall_clock() -> None:
    """Setting the clock an hour back must not stop every timer for an hour."""
    reactor = MemoryReactorClock()
    assert steady(reactor) is reactor
    before = time.monotonic()
    assert before <= reactor.seconds() <= time.monotonic()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--foo"], "unknown option --foo; see --help"),
        (["--foo=canary"], "unknown option --foo; see --help"),
        (["--lisetn", "x"], "unknown option --lisetn; did you mean --listen? See --help"),
        (["--simulat"], "unknown option --simulat; did you mean --simulate? See --help"),
        (["-x"], "unknown option -x; see --help"),
        (["--listen"], "option --listen requires argument; see --help"),
        (["9001"], "unexpected '9001'; did you mean --listen tcp:9001?"),
        (["foo", "9001"], "unexpected 'foo'; see --help"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the usage, which fills two screens."""
    with pytest.raises(SystemExit) as ended:
        Example().parseOptions(words)
    assert ended.value.code == f"example: {said}"
    assert capsys.readouterr() == ("", "")


def test_the_version_is_ours_and_twisteds(capsys: pytest.CaptureFixture[str]) -> None:
    """Both are needed in a report of a defect."""
    with pytest.raises(SystemExit) as ended:
        Example().parseOptions(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tickrelay {version('tickrelay')} (Twisted {version('twisted')})\n"


def test_an_option_of_twistds_is_known_as_one() -> None:
    """--nodaemon after the program's name is the commonest slip."""
    command = Example()
    command.parent = OneLineOptions()
    command.parent.synonyms["nodaemon"] = "nodaemon"
    with pytest.raises(SystemExit, match=r"^example: --nodaemon is an option of twistd: write it before example$"):
        command.parseOptions(["--nodaemon"])


def test_a_start_is_refused_with_a_line_for_each_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """The program, the reason, exit status 1; in the foreground the terminal is the log, so nothing is said twice."""
    with pytest.raises(SystemExit) as ended:
        Prepared(Broken(early=True), options(nodaemon=True), MemoryReactorClock())
    assert ended.value.code == 1
    assert capsys.readouterr().err == "example: PORT must be a number\nexample: HOST is odd\n"


def test_a_start_that_fails_after_all_in_the_foreground(capsys: pytest.CaptureFixture[str]) -> None:
    """A line as well."""
    service = Prepared(Broken(early=False), options(nodaemon=True), MemoryReactorClock())
    with pytest.raises(SystemExit, match=r"^example: the port is taken$"):
        service.privilegedStartService()
    assert capsys.readouterr().out == ""


def test_a_daemon_that_fails_after_the_fork(
    capsys: pytest.CaptureFixture[str], logged: list[LogEvent], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """twistd needs an exception (on SystemExit its parent process waits for ever); the log has the line alone."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    pid, log = str(tmp_path / "x.pid"), str(tmp_path / "x.log")
    service = Prepared(Broken(early=False), options(nodaemon=False, pidfile=pid, logfile=log), MemoryReactorClock())
    assert capsys.readouterr().out == (
        f"example: listens nowhere; runs in the background, pid file {pid}, log file {log}\n"
    )
    with pytest.raises(SettingError) as raised:
        service.privilegedStartService()
    sys.excepthook(SettingError, raised.value, None)
    assert "Traceback" not in capsys.readouterr().err
    lines = [e["problems"] for e in logged if e.get("log_level") is LogLevel.critical]
    assert lines == ["example: the port is taken"]


def test_with_chroot_nothing_is_prepared_outside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is where it will be."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    Prepared(Broken(early=True), options(nodaemon=True, chroot="/"), MemoryReactorClock())


def test_more_signals_than_one_only_hurry_the_stop() -> None:
    """Twisted's own handler would stop the reactor twice, which is an error there."""
    reactor, broken = MemoryReactorClock(), Broken(early=False)
    reactor.callFromThread = lambda call: reactor.callLater(0, call)  # type: ignore[attr-defined]
    Prepared(broken, options(nodaemon=True), reactor).stopService()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.raise_signal(number)
    reactor.advance(0)
    assert broken.hurried == 3


def test_twistd_logs_to_the_services_own_observer(tmp_path: Path) -> None:
    """It takes the component of its Application; with --logger there is none."""
    application = Application("example")
    path = tmp_path / "x.log"
    service = Prepared(Fine(), options(nodaemon=True, logfile=str(path)), MemoryReactorClock())
    service.setServiceParent(application)
    observer = application.getComponent(ILogObserver)
    Logger(observer=observer, namespace="example").info("here")
    assert path.read_text() == "", "nothing is written before twistd has forked"
    service.privilegedStartService()
    service._service_log._writer.finish()
    assert path.read_text().endswith("[example#info] here\n")
    service._service_log._file._file.close()  # type: ignore[union-attr]
    application = Application("example")
    Prepared(Fine(), options(nodaemon=True, logger=object), MemoryReactorClock()).setServiceParent(application)
    assert application.getComponent(ILogObserver, None) is None
