"""Log lines that the server can cause: a bounded number of each kind a minute."""

from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger

from tickrelay.model.minute_counter import WINDOW_S
from tickrelay.upstream.limited_log import LINES, LimitedLog


def test_lines_beyond_the_limit_are_counted(clock: Clock, logged: list[LogEvent]) -> None:
    """Each kind on its own; how many were left out is said when the next line comes after the window."""
    limited = LimitedLog(Logger(), clock.seconds)
    for number in range(100):
        limited.warn("errors", "{number} came", number=number)
    limited.info("refusals", "{name} refused", name="EURUSD")
    assert [event["number"] for event in logged if "number" in event] == list(range(LINES))
    assert [event["name"] for event in logged if "name" in event] == ["EURUSD"]
    clock.advance(WINDOW_S)
    limited.info("refusals", "{name} refused", name="GBPUSD")
    assert [(event["kind"], event["count"]) for event in logged if "kind" in event] == [("errors", 100 - LINES)]
    limited.warn("errors", "{number} came", number=100)
    assert logged[-1]["number"] == 100
