"""The description of 50,000 symbols for twenty clients at once, of which some read slowly: whole, in shared bytes."""

import hashlib
import json
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from twisted.internet import reactor
from twisted.internet import ssl as twisted_ssl
from twisted.internet.defer import DeferredList
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from tests.support.browser import LIVE
from tests.support.certificates import make_certificate
from tests.support.frames import frame
from tests.support.relay import FakeFeed
from tickrelay.config.settings import ClientSettings, RelaySettings
from tickrelay.downstream.factory import ClientFactory
from tickrelay.model.ticks import Symbol
from tickrelay.relay.hub import Hub
from tickrelay.service import front_of
from tickrelay.startup import ReactorClock
from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.tickrelay_pb2 import ClientMessage, GetSymbols, Subscribe

SYMBOLS = 50_000
CLIENTS = 20
SLOW_BYTES_PER_S = 4_000_000
"""A large answer takes some seconds."""
EXTRA_MB = 80
"""Twenty copies would be 220 MB of JSON."""


class Reader:
    """One client in a thread; hashes what it reads, and keeps nothing."""

    def __init__(self, port: int, trust: ssl.SSLContext | None, binary: bool, slow: bool) -> None:
        self.binary = binary
        self.slow = slow
        self.raw: Any = socket.create_connection(("127.0.0.1", port), 30)
        if trust is not None:
            self.raw = trust.wrap_socket(self.raw, server_hostname="localhost")
        self.data = bytearray()
        kind = b"protobuf" if binary else b"json"
        self.raw.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: tickrelay.v1." + kind + b"\r\n\r\n"
        )
        while b"\r\n\r\n" not in self.data:
            self.fill()
        del self.data[: self.data.index(b"\r\n\r\n") + 4]

    def ask(self) -> None:
        """Subscribe, and ask for the symbols twice: the second is read only once the first is answered."""
        if self.binary:
            wanted = [ClientMessage(subscribe=Subscribe(symbols=["S0"]))] + [
                ClientMessage(get_symbols=GetSymbols())
            ] * 2
            self.raw.sendall(b"".join(frame(message.SerializeToString(), 2) for message in wanted))
        else:
            requests = [{"type": "subscribe", "symbols": ["S0"]}, {"type": "getSymbols"}, {"type": "getSymbols"}]
            self.raw.sendall(b"".join(frame(json.dumps(request).encode()) for request in requests))

    def fill(self) -> None:
        """Read some bytes."""
        data = self.raw.recv(65_536)
        assert data, "closed"
        self.data += data

    def frames(self) -> tuple[list[str], int]:
        """The digests of two large answers, and how many other frames came until a tick after the second."""
        digests: list[str] = []
        others = 0
        while True:
            while len(self.data) < 10:
                self.fill()
            size, start = self.data[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self.data[2:start], "big")
            assert self.data[0] in (0x81, 0x82, 0x89), "a close frame, or a fragment"
            del self.data[:start]
            if size > 1_000_000:
                digests.append(self.digest(size))
                continue
            while len(self.data) < size:
                self.fill()
            del self.data[:size]
            others += 1
            if len(digests) == 2:
                self.raw.close()
                return digests, others

    def digest(self, size: int) -> str:
        """Of a large answer, without its beginning and its end, which differ; reads it slowly if it is to."""
        found = hashlib.sha256()
        left = size
        while left:
            if not self.data:
                self.fill()
            if self.slow:
                time.sleep(len(self.data) / SLOW_BYTES_PER_S)
            part = bytes(self.data[:left])
            del self.data[: len(part)]
            left -= len(part)
            # The timestamp stands in the last bytes; the rest is the same for all.
            keep = max(0, min(len(part), len(part) - max(0, 64 - left)))
            found.update(part[:keep])
        return found.hexdigest()


def resident_mb() -> float:
    """Memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096 / 1e6


def served(tmp_path: Path, secure: bool) -> tuple[Hub, Any, ssl.SSLContext | None]:
    """A relay with many symbols on a port of this process."""
    clock = ReactorClock(reactor)
    encodings = make_encodings("e1")
    hub = Hub(clock, encodings, RelaySettings(), "e1")
    hub.feed = FakeFeed()
    factory = ClientFactory(hub, encodings, ClientSettings(), clock)
    hub.symbols_loaded(
        [Symbol(symbol_id=n + 1, name=f"S{n}", description=f"Symbol number {n}") for n in range(SYMBOLS)]
    )
    hub.status_changed(LIVE)
    front = front_of(factory, clock, reactor)
    if not secure:
        return hub, reactor.listenTCP(0, front, interface="127.0.0.1"), None  # type: ignore[attr-defined]
    trust = make_certificate(tmp_path)
    options = twisted_ssl.DefaultOpenSSLContextFactory(str(tmp_path / "key.pem"), str(tmp_path / "cert.pem"))
    return hub, reactor.listenSSL(0, front, options, interface="127.0.0.1"), trust  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
@pytest_twisted.ensureDeferred
async def test_everybody_gets_the_whole_answer_and_ticks_go_on(tmp_path: Path, secure: bool) -> None:
    """Memory stays near that of one answer, nobody is closed, and ticks come in between and after."""
    hub, port, trust = served(tmp_path, secure)
    reactor.getThreadPool().adjustPoolsize(maxthreads=CLIENTS + 10)  # type: ignore[attr-defined]
    price, most_mb = 0, 0.0

    def beat() -> None:
        nonlocal price, most_mb
        price += 1
        hub.spot(1, 100_000 + price % 1_000, 101_500, 0)
        most_mb = max(most_mb, resident_mb())

    beats = LoopingCall(beat)
    number = port.getHost().port
    ready = threading.Barrier(CLIENTS)

    def talk(n: int, alone: bool = False) -> tuple[bool, list[str], int]:
        client = Reader(number, trust, binary=n % 2 == 1, slow=n % 4 >= 2 and not alone)
        if not alone:
            ready.wait(30)
        client.ask()
        return client.binary, *client.frames()

    beats.start(0.02)
    try:
        for n in (0, 1):  # each list is made once, which takes its own memory
            await deferToThread(talk, n, True)
        before_mb, most_mb = resident_mb(), 0.0
        begun_price, begun_s = price, time.monotonic()
        results = await DeferredList([deferToThread(talk, n) for n in range(CLIENTS)], fireOnOneErrback=True)
        took_s, ticks = time.monotonic() - begun_s, price - begun_price
    finally:
        beats.stop()
        await port.stopListening()
        reactor.getThreadPool().adjustPoolsize(maxthreads=10)  # type: ignore[attr-defined]
    found = [result for _, result in results]
    for binary in (False, True):
        assert len({tuple(digests) for kind, digests, _ in found if kind is binary}) == 1
        ((first, second),) = {tuple(digests) for kind, digests, _ in found if kind is binary}
        assert first == second
    assert all(others >= 2 for _, _, others in found)
    assert most_mb - before_mb < EXTRA_MB
    assert ticks > took_s / 0.02 * 0.3, "the relay had time for its ticks"
    assert hub.fanout.counters.expelled == 0
