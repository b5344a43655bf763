"""The log observer that twistd is given."""

import io
import os
import sys
import syslog
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel
from zope.interface.verify import verifyObject

from tickrelay.logs.service_log import ServiceLog


class Reactor:
    """Keeps what is to be called at its end."""

    def __init__(self) -> None:
        self.triggers: list[Any] = []

    def addSystemEventTrigger(self, phase: str, event: str, call: Any) -> None:
        """As a reactor's."""
        assert (phase, event) == ("after", "shutdown")
        self.triggers.append(call)


@contextmanager
def logging(levels: str = "info", **config: Any) -> Iterator[tuple[ServiceLog, Logger]]:
    """A log by these options of twistd, and a logger that logs to it; all is written when the with-block ends."""
    log, reactor = ServiceLog(levels), Reactor()
    observer = log.observer(config)
    assert observer is not None and verifyObject(ILogObserver, observer)
    log.start(reactor)
    yield log, Logger(namespace="tickrelay.example", observer=observer)
    (finish,) = reactor.triggers
    finish()
    if log._file is not None:
        log._file._file.close()


def test_text_as_twistd_writes_it(tmp_path: Path) -> None:
    """Time, namespace, level; lines below the level are left out, and the level can be changed."""
    path = tmp_path / "log"
    with logging(logfile=str(path)) as (log, logger):
        logger.debug("a")
        logger.info("{n} symbols\nin two lines", n=5, log_time=0)
        log.set_levels("debug")
        logger.debug("b")
        log.set_levels("critical")
        logger.error("c")
    first, second, third = path.read_text().splitlines()
    assert first.endswith(" [tickrelay.example#info] 5 symbols") and first[:4].isdigit()
    assert second == "\tin two lines" and third.endswith("[tickrelay.example#debug] b")


def test_control_characters_are_escaped(tmp_path: Path) -> None:
    """A terminal would obey them, and the text may be anybody's."""
    path = tmp_path / "log"
    with logging(logfile=str(path)) as (_, logger):
        logger.info("{text}", text="\x1b]0;title\x07 \r\x9b2J \u20ac")
    assert path.read_text().endswith("] \\x1b]0;title\\x07 \\x0d\\x9b2J \u20ac\n")


def test_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the foreground without a log file; it stays a blocking descriptor."""
    reader, number = os.pipe()
    try:
        with open(number, "w", encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            with logging(nodaemon=True) as (log, logger):
                logger.info("here")
                assert not log.rotate()
            assert os.get_blocking(number)
            assert os.read(reader, 1000).endswith(b"] here\n")
    finally:
        os.close(reader)


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_a_standard_output_that_is_none(stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed by a shell, or replaced."""
    monkeypatch.setattr(sys, "stdout", stream)
    with logging(nodaemon=True) as (_, logger):
        logger.info("here")
    assert stream is None or stream.getvalue().endswith("] here\n")


def test_syslog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line at a time, with Twisted's priorities and the prefix of the command line."""
    said: list[tuple[Any, ...]] = []
    monkeypatch.setattr(syslog, "syslog", lambda *words: said.append(words))
    monkeypatch.setattr("twisted.python.syslog.SyslogObserver.openlog", lambda self, *words: said.append(words[:1]))
    with logging(syslog=True, prefix="relay", logfile="unused") as (_, logger):
        logger.info("one\ntwo")
        logger.debug("not this")
    assert said == [
        ("relay",),
        (syslog.LOG_INFO, "[-] one"),
        (syslog.LOG_INFO, "[-] \ttwo"),
    ]


def test_a_logger_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    """twistd makes it, and gives it every event."""
    assert ServiceLog().observer({"logger": object, "logfile": str(tmp_path / "log")}) is None
    assert not list(tmp_path.iterdir())


def test_what_was_dropped_is_a_line_of_its_own(logged: list[LogEvent]) -> None:
    """With the count."""
    ServiceLog()._report(5)
    assert [(e["log_level"], e["count"]) for e in logged] == [(LogLevel.warn, 5)]


def test_rotation(tmp_path: Path) -> None:
    """Where there is a log file."""
    with logging(logfile=str(tmp_path / "log")) as (log, logger):
        logger.info("old")
        assert log.rotate()
        logger.info("new")
    assert (tmp_path / "log").read_text().endswith("] new\n")
