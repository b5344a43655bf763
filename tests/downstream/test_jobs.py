"""The jobs of each second: an error in one keeps none of the others from their work."""

from collections.abc import Callable

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent

from tests.support.browser import Server
from tickrelay.downstream.service import ClientService


@pytest.mark.parametrize("broken", ["stuck_clients", "heartbeats", "market_states", "tokens"])
def test_the_others_go_on(
    broken: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, expected_failures: list[LogEvent]
) -> None:
    """Second by second, and so does the broken one once it works again."""
    server = Server(clock)
    jobs = server.factory.jobs
    done: list[str] = []
    faulty = [True]

    def spy(name: str) -> Callable[[], None]:
        def job() -> None:
            if name == broken and faulty:
                raise OverflowError(name)
            done.append(name)

        return job

    monkeypatch.setattr(jobs, "_jobs", {name: spy(name) for name in jobs.errors})
    service = ClientService(server.factory)
    service.startService()
    clock.pump([1] * 3)
    assert {name: done.count(name) for name in jobs.errors} == {name: 3 * (name != broken) for name in jobs.errors}
    faulty.clear()
    clock.pump([1])
    assert broken in done and jobs.errors[broken] == 3
    assert len(expected_failures) == 1
    expected_failures.clear()
    service.stopService()
