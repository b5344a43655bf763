"""A client that reads slowly stays, however little that is; one that reads nothing is closed. Over TCP and over TLS."""

import json
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.frames import frame
from tests.support.processes import PATIENCE_S, Twistd

STUCK_S = 2.0
STEP_BYTES, STEP_S = 800, 0.1
"""8 KB/s: the 64 KiB that are given to the transport at a time take four times the stuck timeout."""
SLOW_FOR_S = 9.0
SYMBOLS = ["EURUSD", "XAUUSD", "BTCUSD", "USDJPY"]

FLAGS = ("--simulate", "--simulate-rate", "300", "--stuck-timeout", str(STUCK_S))
ENV = {"TICKRELAY_PING_INTERVAL": "1", "TICKRELAY_PING_TIMEOUT": "1"}


class Client:
    """A v1 client with small buffers, that reads from the network exactly as much as it is told to."""

    def __init__(self, port: int, trust: ssl.SSLContext | None) -> None:
        self.raw = socket.socket()
        self.raw.settimeout(PATIENCE_S)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        # As on the Internet: with segments of 64 KiB, as on loopback, the kernel holds back small window updates.
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_400)
        self.raw.connect(("127.0.0.1", port))
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._in, self._out, server_hostname="localhost") if trust else None
        self.received = bytearray()
        if self._tls is not None:
            self._shake_hands(self._tls)
        self.send(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: tickrelay.v1.json\r\n\r\n"
        )
        while b"\r\n\r\n" not in self.received:
            assert self.read(4_096)
        del self.received[: self.received.index(b"\r\n\r\n") + 4]
        self.send(frame(json.dumps({"type": "subscribe", "symbols": SYMBOLS}).encode()))

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
                self.raw.sendall(self._out.read())
                return
            except ssl.SSLWantReadError:
                self.raw.sendall(self._out.read())
                self._in.write(self.raw.recv(16_384))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._out.read()
        self.raw.sendall(data)

    def read(self, size: int) -> bool:
        """Read at most *size* bytes from the network; False: the connection is closed."""
        try:
            data = self.raw.recv(size)
        except ConnectionResetError:
            return False
        if self._tls is not None and data:
            self._in.write(data)
            data_of = self._tls
            while True:
                try:
                    plain = data_of.read(65_536)
                except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                    break
                if not plain:
                    break
                self.received += plain
        else:
            self.received += data
        return bool(data)

    def take(self) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of the frames that were received whole."""
        buffer = self.received
        while len(buffer) >= 2:
            size, start = buffer[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(buffer[2:start], "big")
            if len(buffer) < start + size:
                return
            opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + size])
            del buffer[: start + size]
            yield opcode, payload


@pytest.fixture(scope="module", params=["tcp", "tls"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A relay with a market that moves fast, and how to connect to it."""
    folder = tmp_path_factory.mktemp("slow")
    listen, trust = "tcp:0:interface=127.0.0.1", None
    if request.param == "tls":
        authority = trustme.CA()
        pair = authority.issue_cert("localhost")
        pair.private_key_pem.write_to_path(folder / "key.pem")
        pair.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        trust.set_alpn_protocols(["http/1.1"])
        listen = "ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"
    with Twistd(Path(sys.executable), folder, "tickrelay", *FLAGS, "--listen", listen, env=ENV) as relay:
        port = int(relay.wait_for(r"clients connect to wss?://127.0.0.1:(\d+)/")[1])
        relay.wait_for("status connected")
        yield port, trust
        assert "Traceback" not in relay.text()


def test_a_slow_reader_stays_and_gets_the_newest(served: Any) -> None:
    """It is behind for several stuck and ping timeouts, and never closed; its ticks are conflated and accounted for."""
    port, trust = served
    client = Client(port, trust)
    ends = time.monotonic() + SLOW_FOR_S
    while time.monotonic() < ends:
        assert client.read(STEP_BYTES), "closed, though it reads"
        time.sleep(STEP_S)
    # Whatever lies on the way is read at once now, and then the newest ticks come.
    positions: dict[str, int] = {}
    conflated, ages = 0, []
    ends = time.monotonic() + 2.0
    while time.monotonic() < ends:
        assert client.read(65_536)
        for opcode, payload in client.take():
            assert opcode != 8, payload
            if opcode == 9:
                client.send(frame(payload, 10))
            if opcode != 1:
                continue
            message = json.loads(payload)
            if message["type"] != "tick":
                continue
            name = message["symbol"]
            if name in positions:
                assert message["seq"] == positions[name] + 1 + message.get("conflated", 0)
            positions[name] = message["seq"]
            conflated += message.get("conflated", 0)
            ages.append(time.time() - message["timestamp"] / 1000)
    client.raw.close()
    assert conflated > 100
    assert ages[-1] < 1.0, "it ends on fresh prices"


def test_a_reader_that_is_stuck_is_closed(served: Any) -> None:
    """It reads nothing for the stuck timeout: the connection is gone soon after, and not before."""
    port, trust = served
    client = Client(port, trust)
    time.sleep(STUCK_S + 6.0)
    alive = True
    ends = time.monotonic() + 5.0
    while alive and time.monotonic() < ends:
        alive = client.read(65_536)
    closes = [payload for opcode, payload in client.take() if opcode == 8]
    client.raw.close()
    # Unless the connection was reset before it read the close frame.
    assert not alive and closes in ([], [(4008).to_bytes(2, "big") + b"slow consumer"])
