"""The log observer of the service, for the component of twistd's Application: text as twistd writes it, where its
options say.
"""

import atexit
import sys
import syslog
from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    Logger,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.syslog import SyslogObserver

from tickrelay import twistd_files
from tickrelay.logs.filters import Levels, RateLimit
from tickrelay.logs.targets import Descriptor, RotatingFile
from tickrelay.logs.writer import BackgroundWriter, Write

# A terminal obeys them, and some of what is logged was said by others: by cTrader, by clients.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class ServiceLog:
    """Made by the tap. `observer` is what twistd logs to; `start` follows once the process has forked."""

    def __init__(self, levels: str = "info") -> None:
        """*levels*: as in the setting."""
        self._levels = Levels()
        self._levels.set(levels)
        self._writer = BackgroundWriter(self._report)
        self._log = Logger(namespace="tickrelay.logs")
        self._file: RotatingFile | None = None

    def set_levels(self, levels: str) -> None:
        """Use other levels from now on."""
        self._levels.set(levels)

    def observer(self, config: Mapping[str, Any]) -> ILogObserver | None:
        """What to log to by twistd's options (*config*, by their names); None: to a logger of the user's own, which
        gets each event as it is.

        Raises OSError for a log file that cannot be opened.
        """
        if config.get("logger"):
            return None
        atexit.register(self._writer.finish)
        return FilteringLogObserver(RateLimit(self._target(config)), [self._levels])

    def start(self, reactor: Any) -> None:
        """Begin to write; at the end of the *reactor* wait for what is still to be written, and so for later lines."""
        self._writer.start()
        # twistd ends the process by the signal that it got: no atexit function runs. It logs two more lines until then.
        reactor.addSystemEventTrigger("after", "shutdown", self._writer.finish)

    def rotate(self) -> bool:
        """Begin a new log file; False: there is no log file."""
        if self._file is None:
            return False
        self._file.rotate()
        return True

    def _target(self, config: Mapping[str, Any]) -> Any:
        if config.get("syslog"):
            observer = SyslogObserver(config.get("prefix", ""))
            observer.syslog = self._put_syslog
            return LegacyLogObserverWrapper(observer.emit)  # type: ignore[arg-type]  # a function is one too
        if path := twistd_files.log_file(config):
            self._file = RotatingFile(path)
            return partial(self._put_text, self._file.write)
        return partial(self._put_text, _standard_output())

    def _put_text(self, write: Write, event: LogEvent) -> None:
        # Here and not in the thread: what an event refers to may change.
        text = formatEventAsClassicLogText(event, formatTime=formatTime)
        if text:
            self._writer.put(write, text.translate(_CONTROL))

    def _put_syslog(self, priority: int, text: str) -> None:
        self._writer.put(partial(syslog.syslog, priority), text.translate(_CONTROL))

    def _report(self, dropped: int) -> None:
        self._log.warn("{count} log lines were dropped: they could not be written in time", count=dropped)


def _standard_output() -> Write:
    stream = sys.stdout
    if stream is None:  # closed, as by >&- in a shell; its number may be that of a socket by now
        return lambda line: None
    try:
        return Descriptor(stream.fileno(), stream.encoding).write
    except OSError:  # one that a test or a library has put in its place
        return lambda line: print(line, end="", file=stream, flush=True)
