"""The fixture of faults on demand."""

from typing import Any

import pytest

from tickrelay.simulator.faults.faults import Faults


@pytest.fixture
def faults(broker: Any) -> Faults:
    """Runs faults."""
    return Faults(broker.broker, broker.clock)
