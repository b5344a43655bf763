"""Sending over TLS at once: what an independent client reads is what was sent, whatever the socket takes."""

import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from tickrelay.downstream.tls import MAX_PLAIN_BYTES, TlsSender

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def server_context() -> SSL.Context:
    """A context as Twisted makes them."""
    context = SSL.Context(SSL.TLS_METHOD)
    CERTIFICATE.configure_cert(context)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


CONTEXT = server_context()


class Tcp:
    """A TCP transport that holds what it is given."""

    producer = None
    _tempDataLen = 0

    def __init__(self) -> None:
        self.dataBuffer = bytearray()
        self.write = self.dataBuffer.extend


class Aggregator:
    """Has gathered nothing."""

    def flush(self) -> None:
        """Write it."""


class Line:
    """A server's connection, a socket with *room* bytes and a transport behind it, and a client of the ssl module."""

    def __init__(self, version: ssl.TLSVersion) -> None:
        self.server = SSL.Connection(CONTEXT, None)
        self.server.set_accept_state()
        trust = ssl.create_default_context()
        AUTHORITY.configure_trust(trust)
        trust.minimum_version = trust.maximum_version = version
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = trust.wrap_bio(self._in, self._out, server_hostname="localhost")
        self.room = 1 << 30
        self.sends = 0
        self.aborted = 0
        self.broken = False
        self._aggregator = Aggregator()
        self.transport = Tcp()
        self.held = self.transport.dataBuffer
        self.sender = TlsSender(self, self._send)
        self._shake_hands()

    def _shake_hands(self) -> None:
        done = [False, False]
        while not all(done):
            for side, shake in enumerate((self.client.do_handshake, self.server.do_handshake)):
                try:
                    shake()
                    done[side] = True
                except (ssl.SSLWantReadError, SSL.WantReadError):
                    pass
                self.client_speaks()
                self.server_speaks()

    def client_speaks(self) -> None:
        """What the client wrote reaches the server."""
        data = self._out.read()
        if data:
            self.server.bio_write(data)

    def server_speaks(self) -> None:
        """Twisted writes what OpenSSL has to say: tickets, alerts, answers."""
        try:
            self.held.extend(self.server.bio_read(1 << 15))
        except SSL.WantReadError:
            pass
        self.drain()

    def _send(self, data: bytes) -> int:
        self.sends += 1
        assert not self.held, "records would overtake those that the transport holds"
        if self.broken:
            raise ConnectionResetError
        if not self.room:
            raise BlockingIOError
        taken = min(self.room, len(data))
        self._in.write(data[:taken])
        self.room -= taken
        return taken

    def getHandle(self) -> SSL.Connection:
        """As Twisted's TLS transport."""
        return self.server

    def abortConnection(self) -> None:
        """As Twisted's TLS transport."""
        self.aborted += 1

    def drain(self, most: int = 1 << 30) -> None:
        """The transport sends up to so many of its bytes."""
        self._in.write(bytes(self.held[:most]))
        del self.held[:most]

    def read(self) -> bytes:
        """All that the client can read now."""
        found = bytearray()
        while True:
            try:
                found += self.client.read(1 << 20)
            except ssl.SSLWantReadError:
                return bytes(found)


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def line(request: pytest.FixtureRequest) -> Line:
    """A connection whose handshake is done."""
    return Line(request.param)


@pytest.mark.parametrize("size", [1, 100, MAX_PLAIN_BYTES, MAX_PLAIN_BYTES + 1, 200_000])
def test_data_of_any_size_is_sent_at_once(line: Line, size: int) -> None:
    """One call of the socket's send, nothing for the transport, and the client reads it."""
    data = bytes(i % 251 for i in range(size))
    assert line.sender.send(data) == size
    assert (line.sends, bytes(line.held)) == (1, b"")
    assert line.read() == data


def test_what_the_socket_does_not_take_goes_to_the_transport(line: Line) -> None:
    """-1 says that the transport holds some; nothing is lost or doubled when it has sent the rest."""
    line.room = 50
    assert line.sender.send(b"x" * 5_000) == -1
    assert line.room == 0 and line.held
    assert line.sender.write(b"y" * 10) is True, "a full transport is given the records that follow"
    line.drain(100)
    line.drain()
    assert line.read() == b"x" * 5_000 + b"y" * 10


def test_a_full_socket_takes_nothing(line: Line) -> None:
    """EAGAIN: all records go to the transport."""
    line.room = 0
    assert line.sender.send(b"hello") == -1
    line.drain()
    assert line.read() == b"hello"


def test_a_broken_socket_is_left_to_the_transport(line: Line) -> None:
    """Its error appears there when it writes, and it ends the connection: no second place has to."""
    line.broken = True
    assert line.sender.send(b"hello") == -1
    assert line.held and not line.aborted


def test_records_that_twisted_holds_come_first(line: Line) -> None:
    """A record that Twisted is about to write is followed, not overtaken."""
    line.server.send(b"first")
    line.held.extend(line.server.bio_read(1 << 15))
    assert line.sender.send(b"second") == -1
    assert line.sends == 0
    line.drain()
    assert line.read() == b"firstsecond"


def test_after_a_close_alert_of_ours_nothing_is_sent(line: Line) -> None:
    """The TLS connection takes no more data: the connection is aborted, OSError says so, and write only returns."""
    line.server.shutdown()
    with pytest.raises(OSError, match="TLS"):
        line.sender.send(b"late")
    assert line.sender.write(b"late") is True
    assert line.aborted == 2 and line.sends == 0


def test_a_client_that_closes_its_side_still_reads(line: Line) -> None:
    """close_notify ends one direction (RFC 8446, 6.1): until the relay has closed, its data arrives."""
    with pytest.raises(ssl.SSLWantReadError):
        line.client.unwrap()
    line.client_speaks()
    with pytest.raises(SSL.ZeroReturnError):
        line.server.recv(1)
    assert line.sender.send(b"bye") == 3


def test_garbage_from_the_client_does_not_disturb_what_is_sent_before_it_is_read(line: Line) -> None:
    """A broken record of the client ends the connection when Twisted reads it; sending does not raise before."""
    line.server.bio_write(b"\x17\x03\x03\x00\x10" + b"garbage" * 3)
    assert line.sender.send(b"still") == 5
    assert line.read() == b"still"
    with pytest.raises(SSL.Error):
        line.server.recv(100)
    assert line.sender.write(b"late") is True and line.aborted == 1


@given(
    st.sampled_from(VERSIONS),
    st.lists(st.tuples(st.integers(1, 40_000), st.integers(0, 50_000), st.booleans()), max_size=12),
)
def test_the_stream_is_whole_whatever_the_socket_takes(
    version: ssl.TLSVersion, steps: list[tuple[int, int, bool]]
) -> None:
    """Sizes, room in the socket and draining in any order: the client reads each byte once, in order."""
    line = Line(version)
    expected = bytearray()
    for number, (size, room, drains) in enumerate(steps):
        if drains:
            line.drain(room)
        line.room = room
        data = bytes([number]) * size
        expected += data
        taken = line.sender.send(data)
        assert taken == (-1 if line.held else size)
    line.drain()
    assert line.read() == expected
