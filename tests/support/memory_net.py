"""A network in memory, on a clock: connections with both of their ends, which a test breaks as it likes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NotConnectingError,
    UserError,
)
from twisted.internet.interfaces import IConnector
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.frames import take_length_prefixed
from tickrelay.openapi.frames import open_envelope

LATENCY_S = 0.001


class End:
    """One end of a connection in memory: the transport of its protocol."""

    disconnecting = False

    def __init__(self, connection: "Connection", protocol: Any) -> None:
        self.connection = connection
        self.protocol = protocol
        self.peer: End
        self._out: list[bytes] = []
        self._flush: Any = None
        self.open = True

    def write(self, data: bytes) -> None:
        """Bytes on their way to the other end; they arrive together."""
        if not self.open or self.disconnecting:
            return
        self._out.append(data)
        if self._flush is None:
            self._flush = self.connection.clock.callLater(LATENCY_S, self.flush)

    def writeSequence(self, parts: Sequence[bytes]) -> None:
        """Several writes."""
        for part in parts:
            self.write(part)

    def flush(self) -> None:
        """Let what was written arrive now."""
        flush, self._flush = self._flush, None
        if flush is not None and flush.active():
            flush.cancel()
        data, self._out = b"".join(self._out), []
        if data and self.peer.open and not self.connection.black_hole:
            self.connection.bytes_seen(self, data)
            self.peer.protocol.dataReceived(data)

    def loseConnection(self) -> None:
        """Close in order, after what was written."""
        if self.open and not self.disconnecting:
            self.disconnecting = True
            if self is self.connection.server and self.connection.black_hole:
                self.connection.clock.callLater(0, self.connection.server_leaves)
            else:
                self.connection.clock.callLater(LATENCY_S, self.connection.end, ConnectionDone(), ConnectionDone())

    def abortConnection(self) -> None:
        """Reset."""
        if self.open:
            self.disconnecting = True
            self._out.clear()
            mine, theirs = ConnectionAborted(), ConnectionLost()
            reasons = (mine, theirs) if self is self.connection.client else (theirs, mine)
            self.connection.clock.callLater(0, self.connection.end, *reasons)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Nothing is ever full here."""

    def unregisterProducer(self) -> None:
        """Nothing is ever full here."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As a socket has it."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """As a socket has it."""
        self.connection.keep_alive = enabled


class Connection:
    """A connection in memory: what the tests break."""

    def __init__(self, net: "MemoryNet", connector: "MemoryConnector") -> None:
        self.net = net
        self.clock = net.clock
        self.connector = connector
        self.black_hole = False
        self.keep_alive = False
        self.secure = False
        self.client = End(self, connector.factory.buildProtocol(None))
        self.server = End(self, net.server.buildProtocol(IPv4Address("TCP", "127.0.0.1", 5035)))
        self.client.peer, self.server.peer = self.server, self.client
        self.over = False
        self.sent: list[tuple[float, int]] = []
        """When each message left the client (monotonic seconds), and its payload type."""
        self._from_client = bytearray()

    def make(self) -> None:
        """Both ends know that they are connected; TLS takes a moment longer."""
        self.client.protocol.makeConnection(self.client)
        if self.net.tls:
            self.clock.callLater(LATENCY_S, self._handshake)

    def _handshake(self) -> None:
        if not self.over:
            self.secure = True
            self.client.protocol.handshakeCompleted()
            # What a server says at once travels inside TLS: never before the handshake.
            self.server.protocol.makeConnection(self.server)

    def bytes_seen(self, end: End, data: bytes) -> None:
        """Keep a record of what the client sends."""
        if end is self.client:
            self._from_client += data
            for frame in take_length_prefixed(self._from_client):
                self.sent.append((self.clock.seconds(), open_envelope(frame).payloadType))

    def server_leaves(self) -> None:
        """The server closes, and the client never hears of it."""
        if self.server.open:
            self.server.open = False
            self.server.protocol.connectionLost(Failure(ConnectionLost()))

    def end(self, client_reason: Exception, server_reason: Exception) -> None:
        """The connection is gone, for these reasons."""
        if self.over:
            return
        self.over = True
        if isinstance(server_reason, ConnectionDone):
            self.server.flush()
            self.client.flush()
        self.client.open = False
        self.net.open.remove(self)
        if self.server.open and self.secure:
            self.server.open = False
            self.server.protocol.connectionLost(Failure(server_reason))
        self.client.protocol.connectionLost(Failure(client_reason))
        self.connector.lost(client_reason)

    def reset(self) -> None:
        """A reset arrives at both ends."""
        self.end(ConnectionLost(), ConnectionLost())

    def finish(self) -> None:
        """The server closes in order."""
        self.end(ConnectionDone(), ConnectionDone())

    def inject(self, data: bytes) -> None:
        """Bytes arrive at the client as if the server had sent them."""
        if self.client.open:
            self.client.protocol.dataReceived(data)


@implementer(IConnector)
class MemoryConnector:
    """What `reactor.connectSSL` returns, in memory."""

    def __init__(self, net: "MemoryNet", factory: Any) -> None:
        self.net = net
        self.factory = factory
        self.state = "disconnected"
        self.connection: Connection | None = None
        self._attempt: Any = None

    def connect(self) -> None:
        """Begin."""
        assert self.state == "disconnected", "connected twice"
        self.state = "connecting"
        self.net.attempts.append(self.net.clock.seconds())
        self.factory.startedConnecting(self)
        if self.state == "connecting" and self.net.reachable:
            self._attempt = self.net.clock.callLater(LATENCY_S, self._arrive)

    def getDestination(self) -> IPv4Address:
        """Where it connects to."""
        return IPv4Address("TCP", "127.0.0.1", 5035)

    def _arrive(self) -> None:
        if self.net.refuses:
            self._fail(ConnectionRefusedError())
            return
        self.state = "connected"
        self.connection = Connection(self.net, self)
        self.net.open.append(self.connection)
        self.net.connections.append(self.connection)
        self.net.most_open = max(self.net.most_open, len(self.net.open))
        self.connection.make()

    def _fail(self, reason: Exception) -> None:
        self.state = "disconnected"
        self.factory.clientConnectionFailed(self, Failure(reason))

    def lost(self, reason: Exception) -> None:
        """The connection is gone."""
        self.state = "disconnected"
        self.connection = None
        self.factory.clientConnectionLost(self, Failure(reason))

    def stopConnecting(self) -> None:
        """Give up an attempt."""
        if self.state != "connecting":
            raise NotConnectingError
        if self._attempt is not None and self._attempt.active():
            self._attempt.cancel()
        self._fail(UserError())

    def disconnect(self) -> None:
        """End whatever there is."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self.connection is not None:
            self.connection.client.loseConnection()


@dataclass
class MemoryNet:
    """The network between the session and the simulator."""

    clock: Clock
    server: Any
    reachable: bool = True
    """Do attempts get anywhere?"""
    refuses: bool = False
    tls: bool = True
    """Does the handshake complete?"""
    open: list[Connection] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    most_open: int = 0

    def connect(self, factory: Any) -> MemoryConnector:
        """The session's way to connect."""
        connector = MemoryConnector(self, factory)
        connector.connect()
        return connector
