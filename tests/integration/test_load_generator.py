"""The benchmarks' load generator sees what is wrong with what it is sent: a real process against a scripted server."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.contender import MissingError
from benchmarks.dialects import DIALECTS, Dialect
from benchmarks.loadgen import Load, Plan, build
from benchmarks.processes import BenchError, Process
from tickrelay.wire.tickrelay_pb2 import ServerMessage

NAMES = ("EURGBP", "EURAUD")
HELLO = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """An unmasked frame."""
    size = len(payload)
    return bytes([0x80 | opcode]) + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")) + payload


def now_us() -> int:
    """The clock that the feed stamps ticks with."""
    return time.monotonic_ns() // 1000


def tick(number: int, *, symbol: int = 1, stamp: int = 0, **more: object) -> bytes:
    """A tick as the feed makes it: the *number*-th of its symbol, in a frame."""
    stamp = stamp or now_us()
    fields = {
        "type": "tick",
        "symbol": NAMES[symbol - 1],
        "symbolId": symbol,
        "bid": stamp / 1e5,
        "ask": (stamp + number) / 1e5,
        "spread": round(number / 1e5, 5),
        "timestamp": time.time_ns() // 1_000_000,
    }
    return frame(json.dumps(fields | more, separators=(",", ":")).encode())


def protobuf_tick(number: int, conflated: int = 0) -> bytes:
    """The same in a frame of v1's Protobuf."""
    message = ServerMessage(
        tick={
            "symbol_id": 1,
            "bid": now_us(),
            "spread": number,
            "timestamp": time.time_ns() // 1_000_000,
            "seq": number,
            "conflated": conflated,
        }
    )
    return frame(message.SerializeToString(), 2)


class Server:
    """Takes one client, answers its opening and its requests, and sends what it is told."""

    def __init__(self, ready: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.port = self._listener.getsockname()[1]
        self._ready = ready
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._open, daemon=True)
        self._thread.start()

    def _open(self) -> None:
        self._sock = self._listener.accept()[0]
        self._sock.settimeout(20)
        self._sock.recv(65536)
        self._sock.sendall(HELLO)
        self._sock.recv(65536)
        self._sock.sendall(self._ready)
        self._opened.set()

    def send(self, data: bytes, piece: int = 0) -> None:
        """Send *data*, in writes of *piece* bytes unless that is 0."""
        assert self._opened.wait(20)
        step = piece or len(data)
        for at in range(0, len(data), step):
            self._sock.sendall(data[at : at + step])

    def recv(self) -> bytes:
        """What the client says."""
        return self._sock.recv(65536)

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        self._thread.join(20)
        self._sock.close()


@pytest.fixture(scope="module")
def program() -> Path:
    """The generator, compiled."""
    try:
        return build()
    except MissingError:
        pytest.skip("no C compiler, or no headers of OpenSSL")


class Rig:
    """A server and the generator with one client that has subscribed to the first symbol."""

    def __init__(self, stack: ExitStack, folder: Path, dialect: Dialect, ready: bytes) -> None:
        self.server = Server(ready)
        stack.callback(self.server.close)
        process = Process(Load.command(self.server.port, False), 0, log=folder / "log", talks=True)
        self.load = Load(stack.enter_context(process), folder, self.server.port)
        self.load.plan(0, Plan(dialect, [NAMES[:1]]))
        self.load.ask("connect 0")
        self.load.ask("subscribe 0")

    def measure(self, data: bytes, piece: int = 0) -> dict[str, float]:
        """What the generator sees while *data* is sent."""
        sender = threading.Timer(0.1, self.server.send, (data, piece))
        sender.start()
        seen = self.load.ask("measure 0.6 100")
        sender.join()
        return seen


@pytest.fixture
def json_rig(program: Path, tmp_path: Path) -> Iterator[Rig]:
    """With the basic protocol."""
    with ExitStack() as stack:
        yield Rig(stack, tmp_path, DIALECTS["basic"], frame(b'{"type":"subscribeResponse"}'))


@pytest.fixture
def protobuf_rig(program: Path, tmp_path: Path) -> Iterator[Rig]:
    """With v1's Protobuf."""
    ready = ServerMessage(subscribe_response={"results": [{"symbol": NAMES[0], "status": "subscribed"}]})
    with ExitStack() as stack:
        yield Rig(stack, tmp_path, DIALECTS["v1-protobuf"], frame(ready.SerializeToString(), 2))


FAULTS = ("malformed", "unasked", "disordered", "repeated", "missing", "conflated")


def faults(seen: dict[str, float]) -> dict[str, float]:
    """Those that were seen, how often."""
    return {what: seen[what] for what in FAULTS if seen[what]}


@pytest.mark.parametrize("piece", [0, 1, 7, 150])
def test_ticks_that_are_right_are_counted_however_they_are_cut(json_rig: Rig, piece: int) -> None:
    """Whole, byte by byte, and across reads; other messages between them are passed over."""
    data = b"".join(tick(number) + frame(b'{"type":"heartbeat"}') for number in range(1, 41))
    seen = json_rig.measure(data, piece)
    assert seen["ticks"] == 40
    assert not faults(seen)
    assert 0 < seen["p50_ms"] <= seen["p99_ms"] <= seen["max_ms"] < 600


def test_the_count_of_a_symbol_goes_round(json_rig: Rig) -> None:
    """After number 900 comes number 1."""
    seen = json_rig.measure(tick(899) + tick(900) + tick(1) + tick(2))
    assert (seen["ticks"], faults(seen)) == (4, {})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: tick(1) + tick(4), {"missing": 2}),
        (lambda: tick(1) + tick(4, conflated=2), {"conflated": 2}),
        (lambda: tick(1) + tick(4, conflated=1), {"missing": 2}),
        (lambda: tick(2) + tick(2), {"repeated": 1}),
        (lambda: tick(1, stamp=now_us()) + tick(2, stamp=now_us() - 5000), {"disordered": 1}),
        (lambda: tick(1, symbol=2), {"unasked": 1}),
        (lambda: tick(1, bid=-1.0), {"malformed": 1}),
        (lambda: tick(1, ask=1.0), {"malformed": 1}),
        (lambda: tick(1, spread=0.5), {"malformed": 1}),
        (lambda: tick(1, symbolId=2), {"malformed": 1}),
        (lambda: tick(1, timestamp=1), {"malformed": 1}),
        (lambda: frame(b'{"type":"tick","symbol":"EURGBP","symbolId":1,"bid":1'), {"malformed": 1}),
        (lambda: b"\xc1\x01x", {"malformed": 1}),
    ],
)
def test_what_is_wrong_is_seen(json_rig: Rig, data: object, expected: dict[str, int]) -> None:
    """A tick that is lost, declared as merged, sent twice, old, of another symbol, or wrong in any of its numbers."""
    assert callable(data)
    assert faults(json_rig.measure(data())) == expected


def test_protobuf_ticks_are_checked_in_the_same_way(protobuf_rig: Rig) -> None:
    """Numbers and conflation."""
    seen = protobuf_rig.measure(protobuf_tick(1) + protobuf_tick(2) + protobuf_tick(5, conflated=2) + protobuf_tick(9))
    assert (seen["ticks"], faults(seen)) == (4, {"conflated": 2, "missing": 3})


def test_the_age_of_a_tick_is_what_passed_since_its_stamp(json_rig: Rig) -> None:
    """Two seconds, within the width of a bin and what the test takes."""
    seen = json_rig.measure(tick(1, stamp=now_us() - 2_000_000))
    assert 2_000 < seen["p50_ms"] < 2_700


def test_a_ping_is_answered_and_a_close_counted(json_rig: Rig) -> None:
    """The server sees the pong; the client is counted as closed."""
    json_rig.server.send(frame(b"hello", 9))
    assert json_rig.server.recv() == b"\x8a\x85\0\0\0\0hello"
    assert json_rig.measure(frame(b"", 8))["closed"] == 1


def test_a_command_that_cannot_be_carried_out_says_why(json_rig: Rig) -> None:
    """The text reaches whoever asked."""
    with pytest.raises(BenchError, match="the plan has no changes"):
        json_rig.load.ask("churn 10")
