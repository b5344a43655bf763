"""The fixture of a hub with clients in memory."""

import pytest

from twisted.internet.task import Clock

from tests.support.relay import Relay


@pytest.fixture
def relay(clock: Clock) -> Relay:
    """A hub with five symbols."""
    return Relay(clock)
