"""Chooses the framing of a connection by its first byte: WebSocket, or plain TCP."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.simulator.answers import ANSWERS
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.json_line import JsonProtocol
from tickrelay.simulator.framing.protocol import SimulatorProtocol
from tickrelay.simulator.framing.web_socket import WebSocketLines
from tickrelay.simulator.session import Session

Build = Callable[[], Any]


class ProtocolSwitch(Protocol):
    """Waits for the first byte, at most *wait_s* seconds, then hands the connection to the protocol it belongs to."""

    def __init__(self, clock: IReactorTime, wait_s: float, plain: Build, web_socket: Build) -> None:
        self._clock = clock
        self._wait_s = wait_s
        self._plain = plain
        self._web_socket = web_socket
        self._inner: Any = None
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Start the deadline of the first byte."""
        self._deadline = self._clock.callLater(self._wait_s, self._give_up)

    def dataReceived(self, data: bytes) -> None:
        """Choose at the first byte: an HTTP request begins with GET, a length of less than 16 MiB with zero."""
        if self._inner is None:
            self._stop_waiting()
            self._inner = self._web_socket() if data[:1] == b"G" else self._plain()
            self._inner.makeConnection(self.transport)
        self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel the deadline, or end the protocol that was chosen."""
        self._stop_waiting()
        if self._inner is not None:
            self._inner.connectionLost(reason)

    def _give_up(self) -> None:
        self._deadline = None
        assert self.transport is not None
        self.transport.loseConnection()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


@implementer(IProtocolNegotiationFactory)
class ProtocolSwitchFactory(Factory):
    """All framings on one port; with *json* the JSON encoding of each."""

    noisy = False

    def __init__(self, broker: SimulatedBroker, clock: IReactorTime, json: bool = False) -> None:
        self._broker = broker
        self._clock = clock
        self._plain = JsonProtocol if json else SimulatorProtocol
        self._web_socket = WebSocketLines(json)
        broker.run(clock)

    def buildProtocol(self, addr: IAddress | None) -> ProtocolSwitch:
        """A switch for one client. The deadline of application auth counts from here, whatever it sends first."""
        open_session = partial(Session, self._broker, self._clock, ANSWERS, connected_s=self._clock.seconds())
        return ProtocolSwitch(
            self._clock,
            self._broker.rules.unauthenticated_s,
            lambda: self._plain(open_session, self._clock),
            lambda: self._web_socket.build(open_session),
        )

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on by ALPN: WebSocket opens with HTTP/1.1, the plain framing has no name.

        Twisted (26.10) lets the handshake fail where a client offers something and there is no answer.
        """
        return [b"http/1.1"]
