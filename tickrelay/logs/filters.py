"""Which events are logged: levels by namespace, and a limit of lines a minute where strangers can cause them."""

import time
from collections.abc import Callable
from typing import Any

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, LogLevelFilterPredicate
from zope.interface import implementer

from tickrelay.config.log_levels import by_namespace
from tickrelay.model.minute_counter import MinuteCounter

LINES = 10

LIMITS = {
    "autobahn": LINES,
    "log_legacy": LINES,  # what Twisted logs by its old API: the errors that the reactor catches, among others
    "tickrelay.downstream": LINES,
    "tickrelay.downstream.notifications": 100,  # the statuses of the feed, which no client causes
    "tickrelay.front": LINES,
    "tickrelay.web": LINES,
    "twisted": LINES,
    "twisted.internet.tcp": 1,  # with no file descriptor left, three lines for each connection that is refused
}
"""Lines of one level that a namespace, or one below it, may log in a minute. Namespaces that are not here have no
limit.
"""


class Levels(LogLevelFilterPredicate):
    """The least level that is logged, by namespace; may be set again at any time."""

    def set(self, text: str) -> None:
        """Use the levels of a setting (`tickrelay.config.log_levels`)."""
        self.clearLogLevels()
        for namespace, level in by_namespace(text).items():
            self.setLogLevelForNamespace(namespace, LogLevel.levelWithName(level))

    def logLevelForNamespace(self, namespace: str) -> Any:
        """Autobahn's is never below info: at debug it prints the opening requests, and so clients' tokens."""
        level = super().logLevelForNamespace(namespace)
        return max(level, LogLevel.info) if namespace.split(".")[0] in ("autobahn", "txaio") else level


@implementer(ILogObserver)
class RateLimit:
    """Passes on events to *observer*, of the namespaces in `LIMITS` at most so many of one level in a minute.

    How many more there were is logged with the first event of any kind after it. Events must have a level and a
    namespace: those without are dropped by `Levels`, before this.
    """

    def __init__(self, observer: Any, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._log = Logger(namespace="tickrelay.logs", observer=observer)
        self._seen: MinuteCounter[tuple[str, Any]] = MinuteCounter(monotonic_s)

    def __call__(self, event: LogEvent) -> None:
        """Pass *event* on, or count it."""
        for (namespace, level), count in self._seen.ended().items():
            more = count - (_limit(namespace) or count)
            if more > 0:
                said = "{more} more {kind} lines of {namespace} within a minute"
                self._log.info(said, more=more, kind=level.name, namespace=namespace)
        namespace = event["log_namespace"]
        limit = _limit(namespace)
        if limit is None or self._seen.add((namespace, event["log_level"])) <= limit:
            self._observer(event)


def _limit(namespace: str) -> int | None:
    while namespace:
        if namespace in LIMITS:
            return LIMITS[namespace]
        namespace = namespace.rpartition(".")[0]
    return None
