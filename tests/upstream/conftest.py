"""The real session and the real simulator, joined in memory on one clock: no socket, no reactor, no sleeping."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NotConnectingError,
    UserError,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings
from tickrelay.model.feed import IFeedListener
from tickrelay.model.status import FeedStatus
from tickrelay.model.ticks import Symbol
from tickrelay.openapi import registry
from tickrelay.openapi.frames import HEARTBEAT, open_envelope
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.settings import Rules, SimulatorSettings
from tickrelay.upstream.service import UpstreamService

START_S = 1_763_985_600.0
"""Monday 24 November 2025, 12:00 UTC."""

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
            while len(self._from_client) >= 4:
                size = 4 + int.from_bytes(self._from_client[:4], "big")
                if len(self._from_client) < size:
                    return
                envelope = open_envelope(bytes(self._from_client[4:size]))
                self.sent.append((self.clock.seconds(), envelope.payloadType))
                del self._from_client[:size]

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


@implementer(IFeedListener)
class RecordingListener:
    """Keeps everything that the feed says, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.statuses: list[FeedStatus] = []
        self.symbols: Sequence[Symbol] = ()
        self.spots: list[tuple[int, int, int, int]] = []
        self.confirmed: list[str] = []
        self.refused: dict[str, str] = {}
        self.lost: list[tuple[str, Sequence[str] | None]] = []
        self.also: Any = None
        """Another listener, that hears everything as well."""

    def _pass_on(self, name: str, *arguments: Any) -> None:
        if self.also is not None:
            getattr(self.also, name)(*arguments)

    def status_changed(self, status: FeedStatus) -> None:
        """Kept."""
        self._pass_on("status_changed", status)
        self.statuses.append(status)
        self.events.append(("status", status.status.value, status.state.value))

    def symbols_loaded(self, symbols: Sequence[Symbol]) -> None:
        """Kept."""
        self.symbols = symbols
        self._pass_on("symbols_loaded", symbols)
        self.events.append(("symbols", len(symbols)))

    def spot(self, symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """Kept."""
        self.spots.append((symbol_id, bid, ask, source_ms))
        self._pass_on("spot", symbol_id, bid, ask, source_ms)

    def feed_lost(self, cause: str, names: Sequence[str] | None) -> None:
        """Kept."""
        self.lost.append((cause, names))
        self._pass_on("feed_lost", cause, names)
        self.events.append(("lost", cause, names))

    def symbol_confirmed(self, name: str) -> None:
        """Kept."""
        self.confirmed.append(name)
        self.events.append(("confirmed", name))

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Kept."""
        self.refused[name] = code
        self.events.append(("refused", name, code))


class Rig:
    """A service, a simulator and the network between them. Keywords are settings of the session."""

    def __init__(
        self,
        clock: Clock,
        simulator: dict[str, Any] | None = None,
        rules: dict[str, Any] | None = None,
        start_s: float = START_S,
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.wall_offset_s = start_s
        rules = {"unknown_field_every": 0, **(rules or {})}
        self.dependencies = SimulatedBroker(
            SimulatorSettings(rules=Rules(**rules), **(simulator or {})), lambda: start_s + clock.seconds()
        )
        self.net = MemoryNet(clock, SimulatorFactory(self.dependencies, clock))
        self.listener = RecordingListener()
        values: dict[str, Any] = {
            "client_id": "sim",
            "client_secret": Secret("sim-secret"),
            "access_token": Secret("sim-token"),
            "account_id": 1001,
            **settings,
        }
        self.settings = CTraderSettings(**values)
        self.service = UpstreamService(
            self.settings,
            self.listener,
            clock,
            connect=self.net.connect,
            monotonic=clock.seconds,
            wall=self.wall,
            rng=random.Random(1),
        )
        self.session = self.service.session
        self.counters = self.service.counters

    def wall(self) -> float:
        """Unix seconds; the tests step this clock, not the other."""
        return self.wall_offset_s + self.clock.seconds()

    def run(self, seconds: float, step_s: float = 0.01) -> None:
        """Let time pass in small steps."""
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)

    def until(self, condition: Callable[[], object], limit_s: float = 120.0, step_s: float = 0.01) -> float:
        """Let time pass until *condition* holds; returns how long it took."""
        start = self.clock.seconds()
        while not condition():
            assert self.clock.seconds() - start < limit_s, f"not within {limit_s} s; {self.listener.events[-5:]}"
            self.clock.advance(step_s)
        return self.clock.seconds() - start

    def go_live(self, *names: str) -> "Rig":
        """Start, want the symbols, wait until live."""
        self.service.startService()
        for name in names:
            self.service.want(name)
        self.until(lambda: self.state == "live")
        return self

    @property
    def state(self) -> str:
        """The session's state."""
        return self.session.state.value

    @property
    def status(self) -> str:
        """The last status that was told."""
        return self.listener.statuses[-1].status.value

    @property
    def message(self) -> str:
        """The last message that was told."""
        return self.listener.statuses[-1].message

    @property
    def messages(self) -> list[str]:
        """Every message that was told."""
        return [status.message for status in self.listener.statuses]

    @property
    def connection(self) -> Connection:
        """The newest connection."""
        return self.net.connections[-1]

    def symbol_id(self, name: str) -> int:
        """The id of a symbol."""
        return next(symbol.symbol_id for symbol in self.listener.symbols if symbol.name == name)

    def upstream_set(self) -> set[str]:
        """The names that the simulator holds subscriptions of, on live connections."""
        return {
            symbol.name
            for number in self.dependencies.sessions
            for symbol in self.listener.symbols
            if self.dependencies.subscription(number, self.settings.account_id, symbol.symbol_id) is not None
        }

    def refuse(self, request: str, code: str, description: str = "", **more: Any) -> None:
        """From now on the simulator refuses a kind of request; code "" ends that."""
        number = registry.lookup(request).number
        self.dependencies.active_faults.refused.pop(number, None)
        if code:
            self.dependencies.active_faults.refused[number] = lambda: RequestRefused(code, description, **more)

    def hang(self, request: str, on: bool = True) -> None:
        """From now on the simulator never answers a kind of request."""
        number = registry.lookup(request).number
        (self.dependencies.active_faults.hung.add if on else self.dependencies.active_faults.hung.discard)(number)

    def sent(self, request: str, connection: Connection | None = None) -> list[float]:
        """When the client sent a kind of message, on one connection or on all."""
        number = registry.lookup(request).number
        connections = [connection] if connection is not None else self.net.connections
        return [when for one in connections for when, kind in one.sent if kind == number]

    def most_requests_in_a_second(self) -> int:
        """The most requests that left on one connection in any window of one second, heartbeats not counted."""
        most = 0
        for connection in self.net.connections:
            times = [when for when, kind in connection.sent if kind != HEARTBEAT]
            start = 0
            for end, when in enumerate(times):
                while times[start] <= when - 1:
                    start += 1
                most = max(most, end - start + 1)
        return most


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
