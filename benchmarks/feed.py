"""The feed every contender but tickrelay is given: ticks over one plain TCP connection, at a rate set from outside.

Run as a process; it listens, takes one connection (the contender's) or, for a broker, connects to it, and writes
ticks until standard input closes. Lines on standard input set the rate: ``rate 500``; ``burst 1000`` makes so many due
at once; ``count`` asks how many ticks there were so far. A tick carries the monotonic time at which it was sent, in
microseconds, as its bid (bid * 100,000), and the count of its symbol's ticks as its spread, so that whoever reads it
back knows its age, and whether one is missing before it. When the contender stops reading, ticks wait here and grow
old, as they should. It must stay cheap: it shares its core with the load generator.
"""

import argparse
import json
import os
import random
import select
import socket
import struct
import time
from typing import Protocol

from benchmarks.workloads import SYMBOLS

RECORD = struct.Struct("<Idd")
"""One tick as the contenders get it: symbol id, bid, ask."""

NUMBERS = 900
"""The spread is the number of the tick, of its symbol's, modulo this, and one: in points. Known to ``load/load.h``."""

POINT = 100_000
BACKLOG_BYTES = 8 << 20
TURN_S = 0.001
LOOK_S = 0.01


class Wire(Protocol):
    """A connection to whoever takes the ticks."""

    def send(self, data: bytearray) -> int:
        """Hand over what is taken without waiting; says how much that was."""

    def hear(self) -> None:
        """Read, and answer, what the other side says."""

    def batch(self, ticks: list[tuple[int, int]], stamp: int) -> bytes:
        """The bytes of ticks (symbol id, spread in points), all with the same bid (in points)."""


class Records:
    """Ticks as records, for a contender that does its own encoding."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setblocking(False)

    def send(self, data: bytearray) -> int:
        """See `Wire`."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    def hear(self) -> None:
        """See `Wire`."""

    def batch(self, ticks: list[tuple[int, int]], stamp: int) -> bytes:
        """See `Wire`."""
        bid = stamp / POINT
        return b"".join([RECORD.pack(symbol_id, bid, (stamp + spread) / POINT) for symbol_id, spread in ticks])


class Publications(Records):
    """Ticks as NATS publications, already JSON: a broker does not encode."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.send(b'CONNECT {"verbose":false,"pedantic":false}\r\n')

    def hear(self) -> None:
        """See `Wire`: the broker wants its pings answered."""
        try:
            if b"PING\r\n" in self._sock.recv(65536):
                self._sock.send(b"PONG\r\n")
        except BlockingIOError:
            pass

    def batch(self, ticks: list[tuple[int, int]], stamp: int) -> bytes:
        """See `Wire`."""
        return b"".join([self._publication(symbol_id, stamp, spread) for symbol_id, spread in ticks])

    def _publication(self, symbol_id: int, stamp: int, spread: int) -> bytes:
        symbol = SYMBOLS[symbol_id - 1]
        tick = {
            "type": "tick",
            "symbol": symbol,
            "symbolId": symbol_id,
            "bid": stamp / POINT,
            "ask": (stamp + spread) / POINT,
            "spread": spread / POINT,
            "timestamp": int(time.time() * 1000),
        }
        payload = json.dumps(tick, separators=(",", ":")).encode()
        return b"PUB %s %d\r\n%s\r\n" % (symbol.encode(), len(payload), payload)


class Pace:
    """Says how many ticks are due, and for which symbols: every symbol once in each fifty, in a fixed mixed order."""

    def __init__(self) -> None:
        order = list(range(1, len(SYMBOLS) + 1))
        source = random.Random(7)
        self._order: list[int] = []
        for _ in range(20):
            source.shuffle(order)
            self._order += order
        self._place = 0
        self._rate = 0.0
        self._began = 0.0
        self._sent = 0
        self.total = 0
        """Ticks that fell due since the start."""

    def set_rate(self, rate: float, now: float) -> None:
        """Send ``rate`` ticks a second from ``now`` on."""
        self._rate, self._began, self._sent = rate, now, 0

    def burst(self, ticks: int) -> None:
        """So many are due at once."""
        self._sent -= ticks

    def due(self, now: float) -> list[int]:
        """The symbol ids of the ticks to be sent now."""
        count = int((now - self._began) * self._rate) - self._sent
        if count <= 0:
            return []
        self._sent += count
        self.total += count
        start, self._place = self._place, (self._place + count) % len(self._order)
        if self._place > start and count < len(self._order):
            return self._order[start : self._place]
        return [self._order[(start + i) % len(self._order)] for i in range(count)]

    def pause(self, now: float) -> float:
        """Seconds to sleep: until the next tick, but no less than a turn, so that high rates come in small batches."""
        if not self._rate:
            return 0.02
        return min(max(TURN_S, self._began + (self._sent + 1) / self._rate - now), 0.02)


class Numbering:
    """Counts the ticks of each symbol that are sent."""

    def __init__(self) -> None:
        self._next = [1] * (len(SYMBOLS) + 1)

    def number(self, symbol_ids: list[int]) -> list[tuple[int, int]]:
        """Ticks as (symbol id, spread in points)."""
        following = self._next
        ticks = []
        for symbol_id in symbol_ids:
            number = following[symbol_id]
            following[symbol_id] = number % NUMBERS + 1
            ticks.append((symbol_id, number))
        return ticks


def commands() -> list[str] | None:
    """The lines waiting on standard input; None once it is closed."""
    if not select.select([0], [], [], 0)[0]:
        return []
    text = os.read(0, 4096)
    return text.decode().splitlines() if text else None


def run(wire: Wire) -> None:
    """Write ticks until standard input closes or the other side leaves."""
    pace, numbering = Pace(), Numbering()
    waiting = bytearray()
    looked = 0.0
    while True:
        now = time.monotonic()
        if now - looked > LOOK_S:
            looked = now
            lines = commands()
            if lines is None:
                return
            for line in lines:
                match line.split():
                    case ["count"]:
                        print(pace.total, flush=True)
                    case ["burst", ticks]:
                        pace.burst(int(ticks))
                    case ["rate", rate]:
                        pace.set_rate(float(rate), now)
            wire.hear()
        ids = pace.due(now)
        if ids and len(waiting) < BACKLOG_BYTES:
            waiting += wire.batch(numbering.number(ids), int(time.monotonic() * 1_000_000))
        while waiting:
            taken = wire.send(waiting)
            if not taken:
                break
            del waiting[:taken]
        time.sleep(pace.pause(time.monotonic()))


def at_once(sock: socket.socket) -> socket.socket:
    """A tick leaves when it is written, not when the one before was acknowledged."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def accept(port: int) -> socket.socket:
    """The one connection of the contender."""
    with socket.create_server(("127.0.0.1", port)) as server:
        print("listening", flush=True)
        return at_once(server.accept()[0])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, default=0, help="port on which the contender fetches its ticks")
    parser.add_argument("--nats", type=int, default=0, help="port of a NATS server to publish to instead")
    options = parser.parse_args()
    try:
        wire: Wire
        if options.nats:
            wire = Publications(at_once(socket.create_connection(("127.0.0.1", options.nats), timeout=10)))
        else:
            wire = Records(accept(options.listen))
        print("connected", flush=True)
        run(wire)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the contender has gone: so do we


if __name__ == "__main__":
    main()
