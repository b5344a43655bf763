"""What a connection held is freed when it is lost, without Python's collector of cycles."""

import gc
import ssl
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from twisted.internet.error import ConnectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.front.test_tls import TLSClient
from tests.support.browser import Server
from tests.support.frames import frame
from tests.support.v1 import JSON

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture
def tls(clock: Clock, authority: trustme.CA) -> TLSClient:
    """A client whose TLS handshake is done."""
    pair = authority.issue_cert("localhost")
    pem = pair.private_key_pem.bytes() + pair.cert_chain_pems[0].bytes()
    client = TLSClient(Server(clock), PrivateCertificate.loadPEM(pem).options(), authority)
    client.shake()
    assert client.shake()
    return client


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """As between two collections of the oldest generation, which may be minutes apart."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def lose(client: TLSClient) -> None:
    """End the TCP connection, as TCP transports do: without a call into TLS from inside of its own."""
    client.transport.connected = False
    client.server.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize("is_open", [False, True], ids=["before the request", "open"])
def test_the_state_of_tls_is_freed_with_its_connection(tls: TLSClient, clock: Clock, is_open: bool) -> None:
    """Of one that ends without close_notify too, which is how most that mean harm end theirs."""
    if is_open:
        tls.ask()
        clock.advance(0)
        tls.take()
        assert b" 101 " in tls.hear()
    state = weakref.ref(tls.server._tlsConnection)
    lose(tls)
    clock.advance(60)
    assert state() is None


def test_a_connection_that_ends_with_close_notify_frees_its_state(tls: TLSClient) -> None:
    """Twisted calls its end twice then: once for TLS, once for TCP."""
    state = weakref.ref(tls.server._tlsConnection)
    tls.transport.connected = False  # TCP tells of the end later
    with pytest.raises(ssl.SSLWantReadError):
        tls.tls.unwrap()
    tls.pass_on()
    tls.server.connectionLost(Failure(ConnectionDone()))
    assert state() is None


def test_a_client_is_freed_with_its_connection(clock: Clock) -> None:
    """With the part of a message that was received, and all that was queued for it."""
    server = Server(clock)
    server.go_live()
    browser = server.browser(JSON)
    browser.say({"type": "subscribe", "id": 1, "symbols": ["EURUSD"]})
    browser.protocol.dataReceived(frame(b"x" * 60_000)[:50_000])
    client: Any = weakref.ref(browser.protocol)
    outbox = browser.protocol.outbox
    outbox.block(b"y" * 100_000, 0)
    assert outbox.queued_bytes
    browser.transport.loseConnection()
    clock.advance(60)
    browser.transport.protocol = browser.transport.producer = None  # as TCP transports do
    assert client() is None
    assert not outbox.queued_bytes
    outbox.write(b"z")
    outbox.close(1000, "")
