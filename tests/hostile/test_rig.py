"""The tools of the hostile tests themselves: what they hold against the relay, they must be able to see."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attacks import ATTACKS
from tests.hostile.feed import FIRST_BID, count_of, symbol_name
from tests.hostile.figures import Figures
from tests.hostile.innocent import Innocent, Target, opening, request_frame
from tests.hostile.innocents import spread
from tests.hostile.rig import Inside
from tests.support.frames import frame
from tickrelay.wire.encodings import make_encodings

NAME = symbol_name(1)


def tick(seq: int, count: int) -> dict[str, Any]:
    """The tick of the feed's *count*-th spot."""
    bid = (FIRST_BID + count) / 100_000
    return {"type": "tick", "symbol": NAME, "bid": bid, "ask": bid, "seq": seq, "epoch": "e", "timestamp": 1}


@pytest.fixture
def innocent() -> Innocent:
    """A client that is subscribed, after spot 10 of the feed as tick 1."""
    client = Innocent(Target(1), "127.0.0.1", [NAME], counted=True)
    client._take(
        {"type": "subscribeResponse", "results": [{"symbol": NAME, "status": "subscribed", "epoch": "e", "seq": 0}]}
    )
    client._take(tick(1, 10))
    return client


def test_an_innocent_takes_what_follows(innocent: Innocent) -> None:
    """The next spot as the next tick, and a conflated one."""
    innocent._take(tick(2, 11))
    innocent._take(tick(5, 14) | {"conflated": 2})
    assert not innocent.faults and not innocent.checker.faults


def test_an_innocent_sees_a_spot_that_was_lost_in_silence(innocent: Innocent) -> None:
    """``seq`` goes on by one while the broker's count goes on by more; it is a fault without ``gap``, and none with."""
    innocent._take(tick(2, 15))
    assert "4 spots missing" in innocent.faults[0]
    innocent._take({"type": "gap", "symbol": NAME, "epoch": "e", "afterSeq": 2, "fromMs": 1, "toMs": 2})
    innocent._take(tick(3, 30))
    assert len(innocent.faults) == 1 and not innocent.checker.faults


def test_an_innocent_sees_a_jump(innocent: Innocent) -> None:
    """A tick that does not follow the one before."""
    innocent._take(tick(3, 12))
    assert "is followed by 3" in innocent.checker.faults[0]


def test_an_innocent_sees_a_wrong_price(innocent: Innocent) -> None:
    """One with another scale counts for another spot."""
    innocent._take(tick(2, count_of((FIRST_BID + 11) / 1000)))
    assert innocent.faults


@pytest.mark.parametrize("dialect", ["json", "protobuf", "basic"])
def test_requests_are_what_the_relay_parses(dialect: str) -> None:
    """In each encoding, with the id."""
    message = {"type": "subscribe", "symbols": [NAME], "id": 7} | ({"snapshot": True} if dialect != "basic" else {})
    data = request_frame(message, dialect)
    encodings = make_encodings("e")
    encoding = {"json": encodings.v1_json, "protobuf": encodings.v1_protobuf, "basic": encodings.basic}[dialect]
    size = 6 if len(data) < 132 else 8
    request: Any = encoding.parse(data[size:], dialect == "protobuf")
    assert list(request.symbols) == [NAME]
    assert (b"tickrelay.v1." in opening(dialect)) is (dialect != "basic")


def test_spread_has_the_percentiles() -> None:
    """In milliseconds; zeros where there is nothing."""
    assert spread([n / 1000 for n in range(1, 1001)]) == {"n": 1000, "p50": 501.0, "p99": 991.0, "max": 1000.0}
    assert spread([])["n"] == 0


def figures(**changed: Any) -> Figures:
    """Of an attack that was not felt."""
    phase = {"trip": {"n": 50, "p50": 1.0, "p99": 99.0, "max": 200.0}, "lag": {"p99": 1.0}, "ticks_per_s": 50.0}
    report = {"phases": {"before": phase, "during": phase}, "faults": 0, "closes": 0, "gaps": 0, "shown": []}
    values: dict[str, Any] = {
        "attack": "names", "connections": 100, "addresses": 1, "report": report, "done": {"connections": 100},
        "rss_mib": (60.0, 70.0), "peak_rss_mib": 80.0, "descriptors": (62, 60), "cpu": 0.5, "log_bytes": 0,
        "tracebacks": 0,
    }  # fmt: skip
    return Figures(**values | changed)


def test_what_is_within_its_bounds_is_not_wrong() -> None:
    """Nor is what is within another bound."""
    assert figures().wrong() == []
    assert figures().wrong(98.0) == ["round trip p99 99 ms, not 98 ms"]


@pytest.mark.parametrize(
    "changed",
    [
        {"rss_mib": (60.0, 110.0)},
        {"descriptors": (62, 63)},
        {"tracebacks": 1},
        {"done": {"connections": 0}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_each_bound_counts(changed: dict[str, Any]) -> None:
    """One that is exceeded is named."""
    assert len(figures(**changed).wrong()) == 1


def test_descriptors_are_told_apart() -> None:
    """Files by name, TCP sockets by their ends and their state."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        Path(os.devnull).open() as file,
    ):
        lines = {line.split(": ")[0]: line for line in Inside(os.getpid()).kinds()}
        assert lines[str(file.fileno())].endswith(": /dev/null")
        assert " LISTEN " in lines[str(server.fileno())]
        port = client.getsockname()[1]
        assert f"127.0.0.1:{port} <- 127.0.0.1:{server.getsockname()[1]} ESTABLISHED" in lines[str(client.fileno())]


def test_the_core_and_the_memory_of_a_process_are_read() -> None:
    """Of one that works."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            inside = Inside(process.pid)
            deadline = time.monotonic() + 20
            while not inside.cpu_s() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert inside.cpu_s() > 0 and inside.rss_mib() > 1 and inside.descriptors() >= 3
        finally:
            process.kill()


def test_every_attack_says_what_it_does() -> None:
    """Its docstring; the table names it."""
    assert all(attack.run.__doc__ for attack in ATTACKS.values())
    assert frame(b"", 10) == bytes([0x8A, 0x80, 0, 0, 0, 0])
