"""The fixtures of a simulated broker, and of a client that is connected to it without a socket."""

from collections.abc import Callable
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.broker import START_S, Broker, Peer
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.settings import Rules, SimulatorSettings


@pytest.fixture
def make_broker(clock: Clock) -> Callable[..., Broker]:
    """Makes a broker; keywords are rules, or settings in ``settings``."""

    def make(settings: dict[str, Any] | None = None, **rules: Any) -> Broker:
        rules.setdefault("unknown_field_every", 0)
        broker = SimulatedBroker(
            SimulatorSettings(rules=Rules(**rules), **(settings or {})), lambda: START_S + clock.seconds()
        )
        return Broker(clock, broker, SimulatorFactory(broker, clock))

    return make


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    """A broker with the usual rules."""
    return make_broker()


@pytest.fixture
def peer(broker: Broker) -> Peer:
    """A client that has just connected."""
    return broker.connect()


@pytest.fixture
def trader(peer: Peer) -> Peer:
    """A client whose account 1001 is open."""
    peer.log_in()
    return peer
