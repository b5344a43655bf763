"""PeriodicJobs: what is done every so many seconds, so that no error of one job ends another, or itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.logger import Logger

from tickrelay.model.clock import Timer

AGAIN_S = 3600.0
"""How often the error of a job that never works is logged."""


@dataclass(slots=True)
class _Health:
    """Of one job."""

    failing: bool = False
    unlogged: int = 0
    """Errors since the last that was logged."""
    logged_s: float = 0.0


class PeriodicJobs:
    """Calls each of *jobs*, by name, every *every_s* seconds from `start` to `stop`, in their order.

    An Exception of a job is counted in `errors` and logged: the first, the first after the job has worked again, and
    one an hour. The other jobs are called, and the job itself the next time. A job that returns before it is done
    (with a Deferred) must log what fails later itself.

    Beats do not drift; those that a blocked reactor missed are left out. *monotonic_s* and *call_later* are a
    `tickrelay.model.clock.Clock`'s, or ``seconds`` and ``callLater`` of a Twisted reactor. LoopingCall ends at the
    first error and is of no use here.
    """

    _log = Logger()

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        call_later: Callable[[float, Callable[[], object]], Timer],
        every_s: float,
        jobs: Mapping[str, Callable[[], object]],
    ) -> None:
        self.errors = dict.fromkeys(jobs, 0)
        """Errors of each job since it was made."""
        self._monotonic_s = monotonic_s
        self._call_later = call_later
        self._every_s = every_s
        self._jobs = dict(jobs)
        self._health = {name: _Health() for name in jobs}
        self._timer: Timer | None = None
        self._began_s = 0.0
        self._beat = 0

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._timer is not None

    def start(self) -> None:
        """Begin: the first beat is one period from now. Does nothing while it runs."""
        if self._timer is None:
            self._began_s = self._monotonic_s()
            self._beat = 0
            self._schedule()

    def stop(self) -> None:
        """End, from a job too. Does nothing where it does not run."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def run(self) -> None:
        """Call every job once."""
        for name, job in self._jobs.items():
            health = self._health[name]
            try:
                job()
            except Exception:
                self._failed(name, health)
            else:
                health.failing = False

    def _failed(self, name: str, health: _Health) -> None:
        self.errors[name] += 1
        health.unlogged += 1
        now_s = self._monotonic_s()
        if not health.failing or now_s - health.logged_s >= AGAIN_S:
            self._log.failure(
                "the job {job} failed, {count} errors since the last line", job=name, count=health.unlogged
            )
            health.failing, health.unlogged, health.logged_s = True, 0, now_s

    def _schedule(self) -> None:
        # The next beat that is still to come. Never the same one again: a timer may fire a rounding error too early.
        elapsed_s = self._monotonic_s() - self._began_s
        self._beat = max(self._beat, int(elapsed_s / self._every_s)) + 1
        self._timer = self._call_later(max(0.0, self._beat * self._every_s - elapsed_s), self._due)

    def _due(self) -> None:
        timer = self._timer
        try:
            self.run()
        finally:
            if self._timer is timer:  # no job has stopped it
                self._schedule()
