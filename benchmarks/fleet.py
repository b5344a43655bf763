"""A fleet of WebSocket clients in one thread: raw non-blocking sockets under one epoll.

``load.py`` runs it as a process. Nothing here may cost what a WebSocket library costs: frames are not parsed, ticks
are counted with ``bytes.count`` over 256 KiB reads, and the age of a tick is read from a sample of the reads.
"""

import math
import select
import socket
import time
from dataclasses import dataclass, field

from benchmarks.dialects import Dialect, handshake
from benchmarks.workloads import SYMBOLS

READ_BYTES = 256 * 1024
IN_FLIGHT = 48
"""Openings under way at once: below the smallest default backlog among the contenders (50)."""
CLIENTS_PER_ADDRESS = 50
SAMPLE_EVERY = 4
PING_S = 15.0
STAGE_TIMEOUT_S = 60.0
IP_BIND_ADDRESS_NO_PORT = 24


class FleetError(Exception):
    """The fleet could not be brought up."""


@dataclass
class Measure:
    """What arrived in a stretch of time; ages are (milliseconds, ticks in the same read)."""

    seconds: float = 0.0
    ticks: int = 0
    octets: int = 0
    reads: int = 0
    busy: float = 0.0
    ages: list[tuple[float, int]] = field(default_factory=list)

    def percentiles(self, *shares: float) -> list[float]:
        """Ages below which the given shares of all ticks arrived; each read counts for the ticks it brought."""
        ages = sorted(self.ages)
        total = sum(weight for _, weight in ages)
        found: list[float] = []
        seen = 0
        for age, weight in ages:
            seen += weight
            while len(found) < len(shares) and seen >= shares[len(found)] * total:
                found.append(age)
        return found + [ages[-1][0] if ages else 0.0] * (len(shares) - len(found))


class Fleet:
    """All clients of one run."""

    def __init__(self, port: int, dialect: Dialect, subscriptions: list[list[str]]) -> None:
        self._port = port
        self._dialect = dialect
        self._subscriptions = subscriptions
        self._epoll = select.epoll()
        self._buffer = bytearray(READ_BYTES)
        self._socks: dict[int, socket.socket] = {}
        self._order: list[int] = []
        self._stalled: list[int] = []
        self._reads_seen = 0
        self._ping_due = time.monotonic() + PING_S
        self._ping_place = 0
        self._churn_s = 0.0
        self._churn_due = math.inf
        self._churns = 0
        self.closed = 0

    def connect(self) -> float:
        """Open every connection up to the answered handshake; gives the seconds it took."""
        hello = handshake("127.0.0.1", self._port, self._dialect.subprotocol)
        began = time.monotonic()
        heads: dict[int, bytes] = {}
        opened = done = 0
        wanted = len(self._subscriptions)
        while done < wanted:
            while opened < wanted and len(heads) < IN_FLIGHT:
                sock = self._open(opened)
                heads[sock.fileno()] = b""
                opened += 1
            for fd, event in self._epoll.poll(1.0):
                if fd not in heads:
                    self._pass_over(fd)
                    continue
                if event & select.EPOLLOUT:
                    self._socks[fd].send(hello)
                    self._epoll.modify(fd, select.EPOLLIN)
                    continue
                heads[fd] += self._socks[fd].recv(4096)
                if b"\r\n\r\n" in heads[fd]:
                    if not heads[fd].startswith(b"HTTP/1.1 101"):
                        raise FleetError(f"handshake refused: {heads[fd][:120]!r}")
                    del heads[fd]
                    done += 1
            self._check(began, f"{done} of {wanted} handshakes answered")
        return time.monotonic() - began

    def _pass_over(self, fd: int) -> None:
        """Something came that was not asked for, a greeting or a status."""
        if not self._socks[fd].recv(READ_BYTES):
            raise FleetError("a client was cut off right after its handshake")

    def _open(self, index: int) -> socket.socket:
        """Start one connection, from one of several loopback addresses: ports and limits are per address."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place = index // CLIENTS_PER_ADDRESS
        sock.bind((f"127.0.{1 + place // 250}.{1 + place % 250}", 0))
        sock.connect_ex(("127.0.0.1", self._port))
        self._socks[sock.fileno()] = sock
        self._order.append(sock.fileno())
        self._epoll.register(sock.fileno(), select.EPOLLOUT)
        return sock

    def subscribe(self) -> float:
        """Every client sends its requests at once; gives the seconds until all were answered."""
        began = time.monotonic()
        tails: dict[int, bytes] = {}
        for fd, symbols in zip(self._order, self._subscriptions, strict=True):
            self._socks[fd].send(self._dialect.requests(symbols))
            tails[fd] = b""
        while tails:
            for fd, _ in self._epoll.poll(1.0, 4096):
                data = self._socks[fd].recv(READ_BYTES)
                if not data:
                    raise FleetError("a client was cut off while subscribing")
                if fd not in tails:
                    continue
                tail = tails[fd] + data
                if self._dialect.ready in tail:
                    del tails[fd]
                else:
                    tails[fd] = tail[-64:]
            self._check(began, f"{len(tails)} clients wait for the answer to their subscription")
        return time.monotonic() - began

    def _check(self, began: float, what: str) -> None:
        if time.monotonic() - began > STAGE_TIMEOUT_S:
            raise FleetError(f"{what} after {STAGE_TIMEOUT_S:.0f} s")

    def pump(self, seconds: float) -> Measure:
        """Read and count for so long."""
        receive = {fd: sock.recv_into for fd, sock in self._socks.items()}
        buffer, count, tick = self._buffer, self._buffer.count, self._dialect.tick
        stamp, ages, clock = self._dialect.stamp, [], time.monotonic
        ticks = octets = 0
        reads = first = self._reads_seen
        began, worked = clock(), time.process_time()
        now, end = began, began + seconds
        while now < end:
            for fd, _ in self._epoll.poll(min(0.05, end - now), 4096):
                try:
                    size = receive[fd](buffer)
                except BlockingIOError:
                    continue
                except OSError:
                    size = 0
                if not size:
                    self._discard(fd)
                    continue
                brought = count(tick, 0, size)
                ticks += brought
                octets += size
                reads += 1
                if brought and not reads % SAMPLE_EVERY:
                    # now the newest tick of a read, now the oldest: the newest alone would flatter a late server
                    stamped = stamp(buffer, size, bool(reads & SAMPLE_EVERY))
                    if stamped is not None:
                        ages.append((clock() * 1000 - stamped / 1000, brought))
            now = clock()
            if now >= self._ping_due and self._order:
                self._ping_some(now)
            while now >= self._churn_due:
                self._change_list()
        self._reads_seen = reads
        elapsed = clock() - began
        busy = (time.process_time() - worked) / elapsed
        return Measure(elapsed, ticks, octets, reads - first, busy, ages)

    def _ping_some(self, now: float) -> None:
        """A hundredth of the clients at a time, so that it never shows in the figures."""
        share = max(1, len(self._order) // 100)
        for fd in self._order[self._ping_place : self._ping_place + share]:
            if fd in self._socks:
                try:
                    self._socks[fd].send(self._dialect.ping)
                except OSError:
                    continue  # its end is noticed where it is read
        self._ping_place = (self._ping_place + share) % len(self._order)
        self._ping_due = now + PING_S / 100

    def churn(self, changes_per_s: float) -> None:
        """From now on clients change their lists all the time, one after the other; so many changes a second."""
        self._churn_s = 1 / changes_per_s
        self._churn_due = time.monotonic()

    def _change_list(self) -> None:
        """One client drops its oldest symbol and takes one that it does not have."""
        index = self._churns % len(self._order)
        mine = self._subscriptions[index]
        dropped = mine.pop(0)
        taken = next(s for s in SYMBOLS[self._churns % len(SYMBOLS) :] + SYMBOLS if s not in mine and s != dropped)
        mine.append(taken)
        if self._order[index] in self._socks:
            self._socks[self._order[index]].send(self._dialect.change([dropped], [taken]))
        self._churns += 1
        self._churn_due += self._churn_s

    def _discard(self, fd: int) -> None:
        self._epoll.unregister(fd)
        self._socks.pop(fd).close()
        self.closed += 1

    def stall(self, clients: int) -> None:
        """The last so many clients stop reading."""
        self._stalled = [fd for fd in self._order[-clients:] if fd in self._socks]
        for fd in self._stalled:
            self._epoll.unregister(fd)

    def resume(self, seconds: float) -> list[list[tuple[float, bytes]]]:
        """They read again: what each of them gets in the next seconds, as (monotonic milliseconds, bytes).

        The others are read too, but not counted.
        """
        arrivals: dict[int, list[tuple[float, bytes]]] = {fd: [] for fd in self._stalled}
        for fd in self._stalled:
            self._epoll.register(fd, select.EPOLLIN)
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            for fd, _ in self._epoll.poll(0.05, 4096):
                try:
                    data = self._socks[fd].recv(READ_BYTES)
                except OSError:
                    data = b""
                if fd in arrivals:
                    arrivals[fd].append((time.monotonic() * 1000, data))
                if not data:
                    self._discard(fd)
        self._stalled = []
        return list(arrivals.values())

    def leave(self) -> None:
        """Close every connection."""
        for fd in list(self._socks):
            self._discard(fd)
        self.closed = 0
