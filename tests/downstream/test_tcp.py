"""A connection's own socket: its options, under TLS too, and what the kernel tells of a client that reads slowly."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from twisted.internet.interfaces import ISSLTransport
from zope.interface import implementer

from tickrelay.downstream.tcp import has_left, is_slow, own_socket, reading, set_options
from tickrelay.relay.outbox import Outbox

Pair = tuple[socket.socket, socket.socket]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")


class Tcp:
    """A TCP transport."""

    def __init__(self, handle: object) -> None:
        self.handle = handle

    def getHandle(self) -> object:
        """The socket."""
        return self.handle


@implementer(ISSLTransport)
class Tls:
    """A TLS transport over a TCP transport; its handle is OpenSSL's."""

    def __init__(self, transport: Tcp) -> None:
        self.transport = transport

    def getHandle(self) -> object:
        """No socket."""
        return object()


def tcp_pair() -> Pair:
    """The ends of a TCP connection, with small buffers and segments: ours, and the client's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_000)
        client.connect(listener.getsockname())
        ours, _ = listener.accept()
    return ours, client


@pytest.fixture(params=[tcp_pair, socket.socketpair], ids=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The ends of a connection, ours and the client's; ours does not block."""
    ours, client = request.param()
    ours.setblocking(False)
    yield ours, client
    ours.close()
    client.close()


@pytest.fixture
def tcp() -> Iterator[Pair]:
    """The ends of a TCP connection."""
    ours, client = tcp_pair()
    ours.setblocking(False)
    yield ours, client
    ours.close()
    client.close()


def outbox(handle: socket.socket) -> Outbox:
    """The outbox of a client at the other end of *handle*."""
    return Outbox(handle.send, lambda data: True, lambda code, reason: None, 1_000_000, partial(reading, handle))


def fill(handle: socket.socket) -> None:
    """Send until the kernel takes no more."""
    try:
        while True:
            handle.send(bytes(4_096))
    except BlockingIOError:
        pass


def changes(condition: Callable[[], bool]) -> bool:
    """Whether *condition* holds soon: the kernels of both ends need a moment."""
    deadline = time.monotonic() + 5.0
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("secure", [False, True])
def test_the_kernel_takes_little_that_it_cannot_send(tcp: Pair, secure: bool) -> None:
    """Over TLS too: else a slow client's prices are as old as megabytes of send buffer."""
    ours, _ = tcp
    handle = own_socket(Tls(Tcp(ours)) if secure else Tcp(ours))
    assert handle is ours
    set_options(handle)
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 65_536
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_transport_without_a_socket() -> None:
    """Nothing is known of it, and nothing raised."""
    assert own_socket(object()) is None
    assert own_socket(Tls(Tcp(None))) is None
    assert reading(None) == 0
    assert not is_slow(Outbox(len, bool, lambda code, reason: None, 1), object())


def test_reading_changes_while_a_client_reads(pair: Pair) -> None:
    """A little at a time, as often as it does; not while it reads nothing."""
    ours, client = pair
    fill(ours)
    client_of = outbox(ours)
    time.sleep(0.2)
    client_of.is_read()
    assert not client_of.is_read()
    for _ in range(3):
        for _ in range(4):
            client.recv(4_096)
        assert changes(client_of.is_read)
    time.sleep(0.2)
    client_of.is_read()
    time.sleep(0.2)
    assert not client_of.is_read()


def test_reading_of_a_closed_socket_is_known_to_nobody(pair: Pair) -> None:
    """It raises nothing: a connection may be gone while the sweep asks."""
    ours, _ = pair
    ours.close()
    assert reading(ours) == 0


def test_a_slow_client_is_told_from_one_that_hangs(pair: Pair) -> None:
    """Bytes that wait in the kernel and move: slow. Bytes that do not move, or none: not."""
    ours, client = pair
    transport, client_of = Tcp(ours), outbox(ours)
    assert not is_slow(client_of, transport), "nothing was sent"
    fill(ours)
    time.sleep(0.2)
    is_slow(client_of, transport)
    assert not is_slow(client_of, transport), "it hangs"
    for _ in range(4):
        client.recv(4_096)
    assert changes(lambda: is_slow(client_of, transport))


def test_a_client_that_was_behind_is_slow_once(tcp: Pair) -> None:
    """While its transport holds data, and for the ping that was sent meanwhile; then it is as any other."""
    ours, _ = tcp
    client_of = outbox(ours)
    client_of.blocked = client_of.was_blocked = True
    assert is_slow(client_of, Tcp(ours))
    assert is_slow(client_of, Tcp(ours))
    client_of.blocked = False
    assert is_slow(client_of, Tcp(ours))
    assert not is_slow(client_of, Tcp(ours))


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_client_that_has_left_is_known_before_all_is_read(tcp: Pair, how: str) -> None:
    """Megabytes that it had sent may stand before its FIN, and are read slowly or not at all."""
    ours, client = tcp
    assert not has_left(ours)
    client.sendall(b"x" * 1_000)
    assert not has_left(ours)
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes((1, 0, 0, 0, 0, 0, 0, 0)))
    client.close()
    deadline = time.monotonic() + 5
    while not has_left(ours):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_socket_nobody_is_known_to_have_left() -> None:
    """A transport in memory, or a UNIX socket."""
    ours, client = socket.socketpair()
    client.close()
    assert not has_left(None) and not has_left(ours)
    ours.close()
