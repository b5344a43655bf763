"""LimitedLog: log lines that the server can cause, a bounded number of each kind a minute."""

from collections import Counter
from collections.abc import Callable

from twisted.logger import Logger, LogLevel

LINES = 10
"""Lines of one kind in a window."""

WINDOW_S = 60.0


class LimitedLog:
    """Writes to *log*. Kinds are a few constants of the caller; what a line says differs from one to the next."""

    def __init__(self, log: Logger, monotonic_s: Callable[[], float]) -> None:
        self._log = log
        self._monotonic_s = monotonic_s
        self._window_ends_s = 0.0
        self._seen: Counter[str] = Counter()

    def info(self, kind: str, format: str, **fields: object) -> None:
        """Log at level ``info``, if there were not too many of the kind."""
        self._emit(LogLevel.info, kind, format, fields)

    def warn(self, kind: str, format: str, **fields: object) -> None:
        """Log at level ``warn``, if there were not too many of the kind."""
        self._emit(LogLevel.warn, kind, format, fields)

    def _emit(self, level: LogLevel, kind: str, format: str, fields: dict[str, object]) -> None:
        now_s = self._monotonic_s()
        if now_s >= self._window_ends_s:
            self._window_ends_s = now_s + WINDOW_S
            for left, seen in self._seen.items():
                if seen > LINES:
                    self._log.info("{count} more lines about {kind} were left out", count=seen - LINES, kind=left)
            self._seen.clear()
        self._seen[kind] += 1
        if self._seen[kind] <= LINES:
            self._log.emit(level, format, **fields)
