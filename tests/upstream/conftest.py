"""The fixtures of the rig: the real session and the real simulator, joined in memory."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.rig import Rig


@pytest.fixture
def make_rig(clock: Clock) -> Iterator[Callable[..., Rig]]:
    """Makes a rig; every rig is stopped at the end of the test, and must leave no timer of the session behind."""
    rigs: list[Rig] = []

    def make(**options: Any) -> Rig:
        rig = Rig(options.pop("clock", clock), **options)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        stopped: list[object] = []
        rig.service.stopService().addCallback(stopped.append)
        rig.run(rig.settings.stop_timeout_s + 1, 0.1)
        assert stopped, "the service did not stop"
        assert not rig.net.open
        rig.dependencies.stop()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A rig with the usual rules."""
    return make_rig()
