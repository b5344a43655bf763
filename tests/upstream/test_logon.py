"""The steps to a loaded symbol table: one at a time, under one deadline."""

from typing import Any

import pytest

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings
from tickrelay.upstream.errors import Cause, LinkLost, UpstreamError
from tickrelay.upstream.logon import Logon

SETTINGS = CTraderSettings(
    client_id="c", client_secret=Secret("s"), access_token=Secret("t"), account_id=1, live_timeout_s=60
)


class Bench:
    """A logon whose steps end when the test fires them; serves as its owner, link and steps."""

    def __init__(self, clock: Clock) -> None:
        self.is_paused = False
        self.dropped: list[str] = []
        self.failed: list[BaseException] = []
        self.done: list[str] = []
        self.step: Deferred[None] = Deferred()
        steps: Any = self
        self.logon = Logon(SETTINGS, TestClock(clock), steps, steps, self)

    def drop(self, cause: Cause) -> None:
        """A deadline has passed."""
        self.dropped.append(cause.message)

    def step_failed(self, error: BaseException) -> None:
        """A step failed."""
        self.failed.append(error)

    async def load(self, link: object) -> None:
        """The step that loads the symbols."""
        await self.step

    run = load

    def load_symbols(self) -> None:
        """Begin that step."""
        link: Any = self
        self.logon.load_symbols(link, lambda: self.done.append("symbols"))

    def authorise_account(self) -> None:
        """Begin the step before it."""
        link: Any = self
        self.logon.authorise_account(link, lambda: self.done.append("account"))


@pytest.fixture
def bench(clock: Clock) -> Bench:
    """A logon that has not begun."""
    return Bench(clock)


def test_the_connection_has_a_deadline_of_its_own(bench: Bench, clock: Clock) -> None:
    """No TLS within the connect timeout."""
    bench.logon.connecting()
    clock.advance(SETTINGS.connect_timeout_s - 0.1)
    assert not bench.dropped
    clock.advance(0.2)
    assert bench.dropped == [f"no TLS connection to {SETTINGS.host}:{SETTINGS.port} within 15 s"]


def test_live_has_a_deadline(bench: Bench, clock: Clock) -> None:
    """It begins with the account's authorisation where it does not run, and not anew where it does."""
    bench.authorise_account()
    clock.advance(40)
    bench.authorise_account()
    clock.advance(20)
    assert bench.dropped == ["not live within 60 s"]


def test_a_pause_that_cTrader_asked_for_prolongs_it(bench: Bench, clock: Clock) -> None:
    """A new connection would have to wait for the same pause."""
    bench.authorise_account()
    bench.is_paused = True
    clock.advance(60)
    bench.is_paused = False
    clock.advance(59)
    assert not bench.dropped
    clock.advance(1)
    assert bench.dropped == ["not live within 60 s"]


def test_no_deadline_runs_when_all_is_done(bench: Bench, clock: Clock) -> None:
    """`finished` is called when the session is live or the logon is given up."""
    bench.logon.connecting()
    bench.authorise_account()
    bench.logon.finished()
    assert not clock.getDelayedCalls()
    clock.advance(1000)
    assert not bench.dropped


def test_a_step_that_is_done(bench: Bench) -> None:
    """The next step is started once."""
    bench.load_symbols()
    assert not bench.done
    bench.step.callback(None)
    assert bench.done == ["symbols"] and not bench.failed


def test_a_step_that_fails_is_reported(bench: Bench) -> None:
    """With its own exception."""
    bench.load_symbols()
    error = UpstreamError("no")
    bench.step.errback(error)
    assert bench.failed == [error] and not bench.done


@pytest.mark.parametrize("error", [None, LinkLost("lost")])
def test_a_step_that_was_ended_is_ignored(bench: Bench, error: Exception | None) -> None:
    """It is cancelled; neither its result nor its error is reported, even if it ignores the cancellation."""
    bench.step = Deferred(lambda step: step.callback(None) if error is None else step.errback(error))
    bench.load_symbols()
    bench.logon.end_step()
    assert bench.step.called and not bench.done and not bench.failed
