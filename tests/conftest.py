"""What every test gets: a guard that a logged failure or a dropped Deferred error fails it, and a clock."""

import gc
from collections.abc import Iterator

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out on purpose, which pytest counts as deselected without a word of what it was."""
    left_out = [item for item in terminalreporter.stats.get("deselected", ()) if item.get_closest_marker("foreign")]
    if left_out and "foreign" in terminalreporter.config.option.markexpr:
        terminalreporter.write_line(f"{len(left_out)} tests of foreign clients left out: make test-foreign runs them")


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until the test moves it."""
    return Clock()


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    """Every event logged while the test runs."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


@pytest.fixture(autouse=True)
def no_logged_failures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that logs a failure, or drops a Deferred whose error nobody saw.

    A test that means to see failures takes the fixture `expected_failures` and empties its list.
    """
    failures: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event)

    request.node.logged_failures = failures
    globalLogPublisher.addObserver(observe)
    yield
    # A failed Deferred complains when it is collected: do that while the observer still listens.
    gc.collect(1)
    globalLogPublisher.removeObserver(observe)
    if failures:
        shown = "\n\n".join(str(e["log_failure"].getTraceback()) for e in failures)
        pytest.fail(f"{len(failures)} logged failure(s):\n{shown}")


@pytest.fixture
def expected_failures(request: pytest.FixtureRequest, no_logged_failures: None) -> list[LogEvent]:
    """The failures logged so far in this test; empty the list to say that they were meant."""
    failures: list[LogEvent] = request.node.logged_failures
    return failures
