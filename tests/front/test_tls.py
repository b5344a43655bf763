"""TLS handshakes are measured, and wait in turn, before there is a byte of a request."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from tests.front.test_peer import use_up
from tests.support.browser import KEY, Server, Transport
from tickrelay.front.tls import MAX_STEPS_AFTER, READ_BYTES, bound_messages, end_meter, meter_handshake

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture(scope="module")
def options(authority: trustme.CA) -> Any:
    """What a TLS listener has."""
    pair = authority.issue_cert("localhost")
    pem = pair.private_key_pem.bytes() + pair.cert_chain_pems[0].bytes()
    return PrivateCertificate.loadPEM(pem).options()


class TCPTransport(Transport):
    """As a TCP transport, which twisted.web sets an option on."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """No effect."""


class TLSClient:
    """A client in memory, and the server's end."""

    def __init__(self, server: Server, options: Any, authority: trustme.CA) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self.transport = TCPTransport()
        factory = TLSMemoryBIOFactory(options, False, server.front, server.clock)
        self.server: Any = factory.buildProtocol(self.transport.getPeer())
        self.transport.protocol = self.server
        self.server.makeConnection(self.transport)

    def shake(self) -> bool:
        """Go on with the handshake; returns whether it is done on this side."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self.pass_on()
        return True

    def ask(self, request: bytes = REQUEST) -> None:
        """Send a request."""
        self.tls.write(request)
        self.pass_on()

    def hear(self) -> bytes:
        """What the server sent."""
        try:
            return self.tls.read(100_000)
        except ssl.SSLWantReadError:
            return b""

    def take(self) -> None:
        """What the server has written arrives."""
        self._in.write(self.transport.value())
        self.transport.clear()

    def pass_on(self) -> None:
        """What the client has written arrives, and the server's answer."""
        data = self._out.read()
        if data:
            self.server.dataReceived(data)
        self.take()


@pytest.fixture
def client(clock: Clock, options: Any, authority: trustme.CA) -> TLSClient:
    """A client that has not sent anything."""
    server = Server(clock)
    server.go_live()
    client = TLSClient(server, options, authority)
    client.relay = server  # type: ignore[attr-defined]
    return client


def test_a_handshake_is_measured(client: TLSClient, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the server does in it is charged to the address; then nothing is left on the way of a read."""
    ledger = client.relay.factory.context.ledger  # type: ignore[attr-defined]
    client.shake()
    real = client.server._tlsConnection.do_handshake

    def slow() -> None:
        clock.rightNow += 0.003
        real()

    class Slow:
        """The connection of OpenSSL, which needs 3 ms of the test's clock for a part."""

        def __getattr__(self, name: str) -> Any:
            return slow if name == "do_handshake" else getattr(connection, name)

    connection = client.server._tlsConnection
    client.server._tlsConnection = Slow()
    assert client.shake()
    assert ledger.seconds == pytest.approx(0.003)
    assert "dataReceived" not in vars(client.server)
    client.ask()
    clock.advance(0)
    client.take()
    assert b" 101 " in client.hear()
    assert type(client.server.wrappedProtocol).__name__ == "ClientProtocol"


def test_handshakes_of_an_address_that_is_over_wait_in_turn(client: TLSClient, clock: Clock) -> None:
    """Not a byte of it is looked at before, and the connection is not read meanwhile; then it is served."""
    server: Server = client.relay  # type: ignore[attr-defined]
    use_up(server, "192.168.1.1")
    assert not client.shake()
    assert client.transport.producerState == "paused"
    assert not client.shake()
    assert server.factory.context.ledger.deferred == 1
    clock.advance(0)
    assert client.transport.producerState == "producing"
    client.take()
    assert client.shake()
    assert client.transport.producerState == "paused"
    clock.advance(0)
    client.ask()
    clock.advance(0)
    client.take()
    assert b" 101 " in client.hear()


def test_a_fault_is_answered_over_tls(client: TLSClient, clock: Clock) -> None:
    """And the connection is closed with close_notify, or cut off after the linger."""
    client.shake()
    client.shake()
    client.ask(b"\r\n\r\n")
    assert client.hear().startswith(b"HTTP/1.1 400 ")
    assert client.transport.connected
    clock.advance(3.1)
    assert not client.transport.connected


def test_pages_over_tls(client: TLSClient) -> None:
    """One after the other on the same connection."""
    client.shake()
    client.shake()
    for _ in range(2):
        client.ask(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        client.relay.clock.advance(0)  # type: ignore[attr-defined]
        client.take()
        assert client.hear().startswith(b"HTTP/1.1 200 OK")


def test_a_handshake_that_is_never_done_is_cut_off(client: TLSClient, clock: Clock) -> None:
    """By the one deadline from the accept, without an answer that TLS could not send yet."""
    client.shake()
    clock.advance(5.1)
    assert not client.transport.connected
    assert clock.getDelayedCalls() == []


def test_a_connection_without_tls_is_left_alone() -> None:
    """There is nothing to measure."""
    transport = Transport()
    meter_handshake(transport, lambda work: None)
    end_meter(transport)
    assert not ISSLTransport.providedBy(transport)
    assert "dataReceived" not in vars(transport)


class Handle:
    """OpenSSL's connection, which says at each step of its state machine what it does."""

    def set_info_callback(self, callback: Callable[..., None]) -> None:
        """Keep it."""
        self.step = callback


def test_messages_after_the_handshake_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """In all and in one read: they reach nobody who is charged for what clients say."""
    aborts: list[None] = []
    handle = Handle()
    transport = TCPTransport()
    monkeypatch.setattr(transport, "abortConnection", lambda: aborts.append(None))
    tls = TLSMemoryBIOProtocol.__new__(TLSMemoryBIOProtocol)
    tls.transport = transport
    monkeypatch.setattr(tls, "getHandle", lambda: handle)
    bound_messages(tls)
    assert transport.bufferSize == READ_BYTES
    for _ in range(MAX_STEPS_AFTER - 1):
        handle.step(None, 1, 1)
    assert not aborts
    handle.step(None, 1, 1)
    handle.step(None, 1, 1)
    assert len(aborts) == 1
    bound_messages(transport)
