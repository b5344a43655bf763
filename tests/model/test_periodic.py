"""Periodic jobs: no error ends one, beats neither drift nor pile up."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.task import Clock
from twisted.logger import LogEvent

from tickrelay.model.periodic import AGAIN_S, PeriodicJobs


def make(clock: Clock, every_s: float, jobs: Mapping[str, Callable[[], object]]) -> PeriodicJobs:
    """Jobs on the clock of the test."""
    return PeriodicJobs(clock.seconds, clock.callLater, every_s, jobs)


class Job:
    """Notes when it was called; raises while it is broken."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.calls: list[float] = []
        self.broken = False

    def __call__(self) -> None:
        """Do it."""
        self.calls.append(self.clock.seconds())
        if self.broken:
            raise ValueError("broken")


@pytest.fixture
def job(clock: Clock) -> Job:
    """A job that works."""
    return Job(clock)


def test_an_error_ends_neither_the_job_nor_another(clock: Clock, job: Job, expected_failures: list[LogEvent]) -> None:
    """Each is called at every beat, in order, whatever the one before it raises."""
    other = Job(clock)
    jobs = make(clock, 1, {"first": job, "second": other})
    job.broken = True
    jobs.start()
    clock.pump([1, 1, 1])
    assert job.calls == other.calls == [1, 2, 3]
    assert jobs.errors == {"first": 3, "second": 0}
    jobs.stop()
    assert not clock.getDelayedCalls()
    expected_failures.clear()


def test_an_error_is_logged_once(clock: Clock, job: Job, expected_failures: list[LogEvent]) -> None:
    """Again only after the job has worked, or once an hour, with how many there were since."""
    jobs = make(clock, 1, {"job": job})
    job.broken = True
    jobs.start()
    clock.pump([1] * 10)
    assert [(event["job"], event["count"]) for event in expected_failures] == [("job", 1)]
    job.broken = False
    clock.advance(1)
    job.broken = True
    clock.pump([1] * 2)
    assert [event["count"] for event in expected_failures] == [1, 10]
    clock.pump([1] * (int(AGAIN_S) - 1))
    assert [event["count"] for event in expected_failures] == [1, 10, AGAIN_S]
    expected_failures.clear()
    jobs.stop()


def test_beats_do_not_drift_and_missed_ones_are_left_out(clock: Clock, job: Job) -> None:
    """After a reactor that was blocked, one call follows, and the next at its own time."""
    jobs = make(clock, 2, {"job": job})
    jobs.start()
    clock.advance(2)
    clock.advance(7.5)
    clock.advance(0.25)
    assert job.calls == [2, 9.5]
    clock.advance(0.25)
    assert job.calls == [2, 9.5, 10]
    jobs.stop()


def test_a_job_may_stop_and_start_them(clock: Clock) -> None:
    """Stopped from inside there is no other beat; started again there is one series of beats, not two."""
    calls: list[float] = []

    def restart() -> None:
        calls.append(clock.seconds())
        jobs.stop()
        if len(calls) < 3:
            jobs.start()

    jobs = make(clock, 1, {"job": restart})
    jobs.start()
    jobs.start()
    clock.pump([1] * 6)
    assert calls == [1, 2, 3] and not jobs.running
    jobs.stop()


@given(st.lists(st.floats(0.001, 20), max_size=40), st.floats(0.01, 5))
def test_at_most_one_call_a_beat(steps: list[float], every_s: float) -> None:
    """However time passes: never more calls than periods, and the next call is at most a period away."""
    clock = Clock()
    job = Job(clock)
    jobs = make(clock, every_s, {"job": job})
    jobs.start()
    clock.pump(steps)
    assert len(job.calls) <= clock.seconds() / every_s + 1e-6 * len(steps) + 1e-9 * len(job.calls) + 1e-6
    (call,) = clock.getDelayedCalls()
    assert call.getTime() - clock.seconds() <= every_s * 1.000001
    jobs.stop()
