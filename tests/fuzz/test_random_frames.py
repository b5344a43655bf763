"""Random and mutated frames into the session's protocol: nothing but counted protocol errors, memory flat.

By default 50,000 random frames and 10,000 mutated real ones, in a few seconds. With ``FUZZ_FRAMES=full`` in the
environment a million and a hundred thousand, bounded at ten minutes in all.
"""

import gc
import os
import random
import resource
import time
from typing import Any

import pytest

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.support.frames import length_prefixed
from tests.support.link import RecordingOwner
from tests.support.relay import TestClock
from tickrelay.openapi import registry
from tickrelay.openapi.frames import encode
from tickrelay.openapi.messages_pb2 import (
    ProtoOAErrorRes,
    ProtoOASpotEvent,
    ProtoOASymbolByIdRes,
    ProtoOASymbolChangedEvent,
    ProtoOASymbolsListRes,
    ProtoOAVersionReq,
    ProtoOAVersionRes,
)
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import LinkLost, OpenApiError
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol

FULL = os.environ.get("FUZZ_FRAMES") == "full"
RANDOM, MUTATED = (1_000_000, 100_000) if FULL else (50_000, 10_000)
BOUND_S = 300.0


class Target:
    """A link that is made anew whenever garbage ended it, always with a request on its way."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.owner = RecordingOwner()
        self.spots = 0
        self.results: dict[str, int] = {}
        self.link = self.connect()

    def connect(self) -> OpenApiProtocol:
        """A new connection."""
        link = OpenApiProtocol(TestClock(self.clock), self.owner, self.spot, self.counters, LinkSettings(account_id=1))
        link.deliver_spots()
        link.makeConnection(StringTransport())
        link.handshakeCompleted()
        link.listen(ProtoOASymbolChangedEvent, lambda message: message.symbolId)
        link.listen(ProtoOAErrorRes, lambda message: message.errorCode)
        link.request(ProtoOAVersionReq(), ProtoOAVersionRes).addCallbacks(self.answered, self.failed)
        return link

    def spot(self, symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """Counted."""
        self.spots += 1

    def answered(self, answer: ProtoOAVersionRes) -> None:
        """Counted by outcome."""
        self.results["answered"] = self.results.get("answered", 0) + 1

    def failed(self, failure: Failure) -> None:
        """Counted by outcome; anything else is a finding."""
        failure.trap(LinkLost, OpenApiError)
        self.results[failure.type.__name__] = self.results.get(failure.type.__name__, 0) + 1

    def feed(self, data: bytes) -> None:
        """Bytes arrive; the connection is replaced where it was aborted."""
        link = self.link
        link.dataReceived(data)
        if link.transport.disconnecting:
            self.reconnect()

    def reconnect(self) -> None:
        """The connection ends, another begins."""
        self.link.connectionLost()
        self.link = self.connect()


def memory_kib() -> int:
    """The process's memory now, KiB (the most so far, where the kernel does not say)."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() // 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(target: Target, frames: Any, count: int) -> int:
    """Feed that many; returns how many KiB the memory grew by after the first tenth."""
    started = time.monotonic()
    before = 0
    for number in range(count):
        if number == count // 10:
            gc.collect()
            before = memory_kib()
        target.feed(length_prefixed(next(frames)))
        if number % 10_000 == 0:
            assert time.monotonic() - started < BOUND_S, f"only {number} frames in {BOUND_S} s"
    gc.collect()
    return memory_kib() - before


def random_frames(rng: random.Random) -> Any:
    """Pure noise, and noise in an envelope that is one."""
    types = [row.number for row in registry.all_types()]
    while True:
        noise = rng.randbytes(rng.choice((0, 1, 2, 5, 20, 100)))
        if rng.random() < 0.5:
            yield noise
        else:
            number = rng.choice(types)
            head = bytes([0x08, number & 0x7F | 0x80, number >> 7]) if number > 127 else bytes([0x08, number])
            yield head + b"\x12" + bytes([min(len(noise), 127)]) + noise[:127]


def real_frames() -> list[bytes]:
    """Frames that a server sends: every kind that is read, and an empty message of every type."""
    symbols = ProtoOASymbolsListRes(ctidTraderAccountId=1)
    symbols.symbol.add(symbolId=1, symbolName="EURUSD", enabled=True, description="Euro vs US Dollar")
    full = ProtoOASymbolByIdRes(ctidTraderAccountId=1)
    full.symbol.add(symbolId=1, digits=5, pipPosition=4, scheduleTimeZone="Europe/Moscow").schedule.add(
        startSecond=86_700, endSecond=172_500
    )
    return [
        *(
            encode(
                ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=108_567, ask=108_570, timestamp=1_764_000_000)
            )
            for _ in range(10)
        ),
        encode(symbols),
        encode(full),
        encode(ProtoOAErrorRes(errorCode="INVALID_REQUEST", description="x" * 30), "1"),
        encode(ProtoOAErrorRes(errorCode="BLOCKED_PAYLOAD_TYPE", retryAfter=2), "1"),
        encode(ProtoOAVersionRes(version="90"), "1"),
        encode(ProtoOASymbolChangedEvent(ctidTraderAccountId=1, symbolId=[1, 2])),
        *(encode(row.message(), "1") for row in registry.all_types()),
    ]


def mutated_frames(rng: random.Random) -> Any:
    """Real frames with some bytes changed, cut, doubled or put in."""
    corpus = real_frames()
    while True:
        frame = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(frame) + 1)
            kind = rng.random()
            if kind < 0.5 and at < len(frame):
                frame[at] ^= 1 << rng.randrange(8)
            elif kind < 0.7:
                del frame[at : at + rng.randint(1, 4)]
            elif kind < 0.9:
                frame[at:at] = rng.randbytes(rng.randint(1, 4))
            else:
                frame[at:at] = frame[at : at + 8]
        yield bytes(frame)


@pytest.mark.parametrize(
    ("frames", "count"), [(random_frames, RANDOM), (mutated_frames, MUTATED)], ids=["random", "mutated"]
)
def test_nothing_but_counted_protocol_errors(frames: Any, count: int) -> None:
    """No exception, no log of a failure, no memory kept: errors are counted and end their connection."""
    target = Target()
    grown = run(target, frames(random.Random(1)), count)
    assert target.owner.told["garbled"] > count / 20
    assert target.counters.protocol_errors >= target.owner.told["garbled"]
    assert target.counters.frames == count
    assert grown < 5 * 1024, f"{grown} KiB"
    if frames is mutated_frames:
        assert target.spots and target.results["OpenApiError"] and target.results["answered"]


def test_a_mutated_stream_of_any_chunks() -> None:
    """The length prefixes may be wrong as well, and the bytes come as they come."""
    rng = random.Random(2)
    target = Target()
    frames = mutated_frames(rng)
    for number in range(MUTATED):
        if number % 20 == 0:  # a wrong length may have the link wait for megabytes
            target.reconnect()
        data = bytearray(b"".join(length_prefixed(next(frames)) for _ in range(rng.randint(1, 3))))
        if rng.random() < 0.3:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        cut = rng.randrange(len(data))
        target.feed(bytes(data[:cut]))
        target.feed(bytes(data[cut:]))
    assert target.owner.told["garbled"] and target.spots
