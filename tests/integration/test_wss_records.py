"""What a TLS client may do besides reading: new keys, renegotiation, an end without or with an alert."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.support.certificates import LISTEN, make_certificate
from tests.support.frames import frame
from tests.support.processes import Twistd
from tests.support.tls_line import tls_line

OPEN = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PING = frame(b'{"type":"ping"}')
SUBSCRIBE = frame(b'{"type":"subscribe","symbols":["EURUSD"]}')


@pytest.fixture
def trust(tmp_path: Path) -> ssl.SSLContext:
    """What trusts the relay's certificate."""
    return make_certificate(tmp_path)


@pytest.fixture
def relay(wheel_python: Path, tmp_path: Path, trust: ssl.SSLContext) -> Iterator[Twistd]:
    """A relay over TLS."""
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", "--listen", LISTEN) as service:
        service.wait_for("status connected")
        yield service
        assert "Traceback" not in service.text()


def port_of(relay: Twistd) -> int:
    """Where it listens."""
    return int(relay.wait_for(r"clients connect to wss://127.0.0.1:(\d+)/")[1])


class Openssl:
    """``openssl s_client``, which can ask for new keys and for a renegotiation; Python's ssl module cannot."""

    def __init__(self, port: int, version: str) -> None:
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", f"-{version}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := self.process.stdout.read1(65_536):  # type: ignore[attr-defined]
            self.output += data

    def open(self) -> int:
        """Open the WebSocket; returns where the answer stands in the output."""
        self.wait_for(b"---\n")
        self.say(OPEN)
        return self.wait_for(b"101 Switching")

    def say(self, data: bytes) -> None:
        """Type *data*; a line that begins with K or R is a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_for(self, sign: bytes, start: int = 0) -> int:
        """Wait until *sign* was received behind *start*; returns where it ends.

        Raises BrokenPipeError if the program ends before: it may have been cut off with a command unread.
        """
        deadline = time.monotonic() + 15
        while True:
            has_ended = not self._reader.is_alive()
            at = self.output.find(sign, start)
            if at >= 0:
                return at + len(sign)
            if has_ended:
                raise BrokenPipeError(bytes(self.output[start:]))
            assert time.monotonic() < deadline, bytes(self.output[start:])
            time.sleep(0.02)

    def end(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_client_that_asks_for_new_keys(relay: Twistd) -> None:
    """After a key update (RFC 8446, 4.6.3), which the relay has to answer, its frames are still readable."""
    client = Openssl(port_of(relay), "tls1_3")
    try:
        at = client.open()
        for _ in range(3):
            client.say(b"K\n")
            at = client.wait_for(b"KEYUPDATE", at)
            client.say(PING)
            at = client.wait_for(b'"pong"', at)
        client.say(SUBSCRIBE)
        client.wait_for(b'"tick"', at)
    finally:
        client.end()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_client_that_asks_for_new_keys_again_and_again(relay: Twistd, trust: ssl.SSLContext) -> None:
    """It is cut off: nothing else bounds what the relay does for it. Others go on."""
    port = port_of(relay)
    line, _ = tls_line(trust, socket.create_connection(("127.0.0.1", port)))
    with connect("ws://localhost/", sock=line) as other:
        client = Openssl(port, "tls1_3")
        try:
            at = client.open()
            with contextlib.suppress(BrokenPipeError):
                for _ in range(100):
                    client.say(b"K\n")
                    at = client.wait_for(b"KEYUPDATE", at)
            client.process.wait(15)
        finally:
            client.end()
        other.send('{"type":"ping"}')
        assert "pong" in str(other.recv(timeout=10))


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_renegotiation_is_refused(relay: Twistd) -> None:
    """TLS 1.2's is expensive for a server; the relay goes on."""
    client = Openssl(port_of(relay), "tls1_2")
    try:
        at = client.open()
        client.say(b"R\n")
        client.wait_for(b"RENEGOTIATING", at)
        client.process.wait(15)
        assert b"renegotiation" in client.output.lower()
    finally:
        client.end()
    assert relay.process.poll() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", ["alert", "no alert", "reset"])
def test_the_ends_of_a_connection(relay: Twistd, trust: ssl.SSLContext, version: ssl.TLSVersion, how: str) -> None:
    """Each frees the place, in the middle of a stream of ticks too; others go on."""
    trust.minimum_version = trust.maximum_version = version
    port = port_of(relay)
    line, _ = tls_line(trust, socket.create_connection(("127.0.0.1", port)))
    with connect("ws://localhost/", sock=line) as other:
        for _ in range(5):
            raw = trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
            raw.sendall(OPEN)
            assert raw.recv(4096).startswith(b"HTTP/1.1 101 ")
            raw.sendall(SUBSCRIBE)
            raw.recv(4096)
            if how == "alert":
                raw.settimeout(10)
                with contextlib.suppress(OSError):
                    raw.unwrap()
            elif how == "reset":
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raw.close()
        other.send('{"type":"ping"}')
        assert "pong" in str(other.recv(timeout=10))
