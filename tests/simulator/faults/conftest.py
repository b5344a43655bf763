"""The fixture of faults on demand."""

import pytest

from tests.support.broker import Broker
from tickrelay.simulator.faults.faults import Faults


@pytest.fixture
def faults(broker: Broker) -> Faults:
    """Runs faults."""
    return Faults(broker.broker, broker.clock)
