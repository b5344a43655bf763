"""Which events are logged."""

from typing import Any

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, PredicateResult, formatEvent

from tickrelay.logs.filters import LINES, Levels, RateLimit
from tickrelay.model.minute_counter import WINDOW_S


def passes(levels: Levels, namespace: str, level: str) -> bool:
    """Whether an event of this kind would be logged."""
    event: LogEvent = {"log_namespace": namespace, "log_level": LogLevel.levelWithName(level)}
    return levels(event) is not PredicateResult.no


def test_levels_by_namespace() -> None:
    """The nearest namespace above counts, else the level for all; they can be set again."""
    levels = Levels()
    levels.set("warn,tickrelay.upstream=debug")
    assert passes(levels, "tickrelay.upstream.session.CTraderSession", "debug")
    assert not passes(levels, "tickrelay.service", "info") and passes(levels, "tickrelay.service", "warn")
    levels.set("info")
    assert not passes(levels, "tickrelay.upstream.session.CTraderSession", "debug")
    assert passes(levels, "tickrelay.service", "info")


@pytest.mark.parametrize("text", ["debug", "info,autobahn=debug", "autobahn.websocket.protocol=debug,txaio=debug"])
def test_autobahn_is_never_below_info(text: str) -> None:
    """At debug it prints requests with their tokens; a higher level counts."""
    levels = Levels()
    levels.set(text)
    for namespace in ("autobahn.websocket.protocol", "autobahn", "txaio"):
        assert not passes(levels, namespace, "debug") and passes(levels, namespace, "info")
    levels.set("error")
    assert not passes(levels, "autobahn", "warn")


class Log:
    """A `RateLimit` on a clock, and what it lets through."""

    def __init__(self, clock: Clock) -> None:
        self.lines: list[str] = []
        self._limit = RateLimit(lambda event: self.lines.append(formatEvent(event)), clock.seconds)

    def say(self, namespace: str, times: int, level: Any = LogLevel.info) -> None:
        """Log the same line so many times."""
        for _ in range(times):
            Logger(namespace=namespace, observer=self._limit).emit(level, "{it} again", it=namespace)


def test_lines_that_strangers_can_cause_are_limited(clock: Clock) -> None:
    """So many of a namespace and a level in a minute; the count of the rest follows with the next line of any kind."""
    clock.advance(1_000_000)
    log = Log(clock)
    noisy = "tickrelay.downstream.autobahn_adapter.QuietLogger"
    log.say(noisy, 5000, LogLevel.debug)
    assert log.lines == [f"{noisy} again"] * LINES
    log.say(noisy, 1, LogLevel.error)
    log.say("tickrelay.downstream.connection.ClientProtocol", 1)
    assert len(log.lines) == LINES + 2, "another level and another namespace have lines of their own"
    log.lines.clear()
    clock.advance(WINDOW_S)
    log.say("tickrelay.service", 1)
    assert log.lines == [f"{5000 - LINES} more debug lines of {noisy} within a minute", "tickrelay.service again"]
    log.lines.clear()
    log.say(noisy, 1, LogLevel.debug)
    assert log.lines == [f"{noisy} again"]
    clock.advance(WINDOW_S)
    log.say("tickrelay.service", 1)
    assert len(log.lines) == 2, "nothing more is said of what was within the limit"


def test_a_process_without_file_descriptors_logs_a_line_a_minute(clock: Clock) -> None:
    """Twisted logs three for each connection that it refuses."""
    log = Log(clock)
    log.say("twisted.internet.tcp.Port", 3000)
    assert len(log.lines) == 1


def test_what_no_stranger_causes_has_no_limit(clock: Clock) -> None:
    """The session with cTrader logs each of its steps."""
    log = Log(clock)
    log.say("tickrelay.upstream.session.CTraderSession", 500)
    assert len(log.lines) == 500
