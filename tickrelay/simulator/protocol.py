"""The TCP framing of one connection: frames in, frames out, and what is done with a client that does not read."""

import struct
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.openapi.frames import FrameReceiver
from tickrelay.simulator.session import Session
from tickrelay.simulator.world import World


@implementer(IPushProducer)
class SimulatorProtocol(FrameReceiver):
    """One client. The transport says when it is full (`pauseProducing`): it gets no ticks then."""

    session: Session

    def __init__(self, world: World, clock: IReactorTime) -> None:
        self._world = world
        self._clock = clock
        self._closing = False

    def connectionMade(self) -> None:
        """The connection stands (with TLS: before the handshake, which costs nothing here)."""
        self.session = Session(self._world, self._clock, self)
        self._transport.registerProducer(self, True)
        self.session.opened()

    def stringReceived(self, string: bytes) -> None:
        """A frame came in."""
        self.session.received(string)

    def lengthLimitExceeded(self, length: int) -> None:
        """A frame announces too many bytes; none of them is read."""
        self.session.refuse_long_frame()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The connection is gone."""
        self.session.closed()

    # Line

    def send(self, batch: Sequence[bytes]) -> None:
        """Send frames in one write."""
        self._transport.write(b"".join(part for frame in batch for part in (struct.pack("!I", len(frame)), frame)))

    def write_raw(self, data: bytes) -> None:
        """Send bytes that are no frames (faults)."""
        self._transport.write(data)

    def close(self) -> None:
        """Close in order, after what was written."""
        if not self._closing:
            self._closing = True
            self._transport.unregisterProducer()  # TLS waits for a producer before it closes
            self._transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self._transport.abortConnection()

    # IPushProducer

    def pauseProducing(self) -> None:
        """The transport holds enough."""
        self.session.pause()

    def resumeProducing(self) -> None:
        """The transport has room again."""
        self.session.resume()

    def stopProducing(self) -> None:
        """The transport is going; connectionLost follows."""

    @property
    def _transport(self) -> Any:
        return self.transport
