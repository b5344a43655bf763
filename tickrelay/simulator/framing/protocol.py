"""The TCP framing of one connection, with backpressure for a client that does not read."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.openapi.frames import FrameReceiver
from tickrelay.simulator.delay_line import DelayLine
from tickrelay.simulator.line import Line
from tickrelay.simulator.session import Session

SLICE_EVERY_S = 0.001

OpenSession = Callable[[Line], Session]
"""Makes the session of a connection whose framing is the line."""


@implementer(IPushProducer)
class SimulatorProtocol(FrameReceiver):
    """One client. While the transport's buffer is full (`pauseProducing`), its session skips ticks."""

    session: Session

    def __init__(self, open_session: OpenSession, clock: IReactorTime) -> None:
        self._open_session = open_session
        self._clock = clock
        self._closing = False
        self._slices = DelayLine(clock, self._write_slice)

    def connectionMade(self) -> None:
        """Open the session. With TLS this is before the handshake (Twisted 26.10)."""
        self.session = self._open_session(self)
        self._transport.registerProducer(self, True)
        self.session.opened()

    def dataReceived(self, data: bytes) -> None:
        """Cut bytes into frames; after the session's end they are dropped, not buffered."""
        if not self.session.ended:
            super().dataReceived(data)

    def stringReceived(self, string: bytes) -> None:
        """Pass a frame to the session."""
        self.session.received(string)

    def lengthLimitExceeded(self, length: int) -> None:
        """Refuse a frame over the limit; none of its bytes is read."""
        self.session.refuse_long_frame()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Drop what waits and end the session."""
        self._slices.drop()
        self.session.closed()

    # Line

    def send(self, batch: Sequence[bytes]) -> None:
        """Send frames in one write."""
        self.write_raw(b"".join(part for frame in batch for part in (struct.pack("!I", len(frame)), frame)))

    def write_raw(self, data: bytes) -> None:
        """Send bytes, frames or not."""
        size = self.session.broker.rules.slice_bytes
        if not size:
            self._transport.write(data)
            return
        for start in range(0, len(data), size):
            self._slices.send([data[start : start + size]], max(SLICE_EVERY_S, self._slices.rest_s + SLICE_EVERY_S))

    def _write_slice(self, pieces: Sequence[bytes]) -> None:
        self._transport.writeSequence(pieces)

    def close(self) -> None:
        """Close in order, after what was written."""
        if not self._closing:
            self._closing = True
            self._transport.unregisterProducer()  # TLSMemoryBIO does not close while one is registered (Twisted 26.10)
            if self._slices.rest_s:
                self._clock.callLater(self._slices.rest_s + SLICE_EVERY_S, self._transport.loseConnection)
            else:
                self._transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self._transport.abortConnection()

    # IPushProducer

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self.session.pause()

    def resumeProducing(self) -> None:
        """The transport takes data again."""
        self.session.resume()

    def stopProducing(self) -> None:
        """The transport is going; connectionLost follows."""

    @property
    def _transport(self) -> Any:
        return self.transport
