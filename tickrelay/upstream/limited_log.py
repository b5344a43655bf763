"""LimitedLog: log lines that the server can cause, a bounded number of each kind a minute."""

from collections.abc import Callable

from twisted.logger import Logger, LogLevel

from tickrelay.model.minute_counter import MinuteCounter

LINES = 10
"""Lines of one kind in a minute."""


class LimitedLog:
    """Writes to *log*. Kinds are a few constants of the caller; what a line says differs from one to the next."""

    def __init__(self, log: Logger, monotonic_s: Callable[[], float]) -> None:
        self._log = log
        self._seen: MinuteCounter[str] = MinuteCounter(monotonic_s)

    def info(self, kind: str, format: str, **fields: object) -> None:
        """Log at level ``info``, if there were not too many of the kind."""
        self._emit(LogLevel.info, kind, format, fields)

    def warn(self, kind: str, format: str, **fields: object) -> None:
        """Log at level ``warn``, if there were not too many of the kind."""
        self._emit(LogLevel.warn, kind, format, fields)

    def _emit(self, level: LogLevel, kind: str, format: str, fields: dict[str, object]) -> None:
        for left, seen in self._seen.ended().items():
            if seen > LINES:
                self._log.info("{count} more lines about {kind} were left out", count=seen - LINES, kind=left)
        if self._seen.add(kind) <= LINES:
            self._log.emit(level, format, **fields)
