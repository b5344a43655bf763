"""One `SimulatorProtocol` a connection, all of them of one `SimulatedBroker`."""

from functools import partial

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from tickrelay.simulator.answers import ANSWERS
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.protocol import SimulatorProtocol
from tickrelay.simulator.session import Session


class SimulatorFactory(Factory):
    """Server side of the TCP framing. Works without a socket: ``buildProtocol(None)`` on an in-memory transport.

    Every timer is on *clock*, and the market starts with the factory.
    """

    noisy = False

    def __init__(self, broker: SimulatedBroker, clock: IReactorTime) -> None:
        self.broker = broker
        self._clock = clock
        broker.run(clock)

    def buildProtocol(self, addr: IAddress | None) -> SimulatorProtocol:
        """A protocol for one client."""
        protocol = SimulatorProtocol(partial(Session, self.broker, self._clock, ANSWERS), self._clock)
        protocol.factory = self
        return protocol
