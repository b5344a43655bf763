"""Fifty innocent clients, each from an address of its own, measured from outside the relay; a process of its own.

::

    python -m tests.hostile.innocents --port 8080 --clients 50 --symbols FEED00001,FEED00002

Lines on standard input: ``phase NAME`` begins to account to NAME; ``report`` prints one line ``REPORT {…}`` with the
figures of each phase since the last report and all that was found wrong; the end of the input ends the process. A ping
counts for the phase in which it was sent, also when its answer is still missing: then with its age so far. Once a
second a newcomer connects, subscribes and goes.

The process measures its own lateness too (``lag``: of a timer of 10 ms): what it is late itself is not the relay's.
"""

import argparse
import json
import os
import random
import select
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.innocent import Innocent, Message, Target

BEAT_S = 0.01
PING_S = 1.0
RETRY_S = 1.0
MAX_NEWCOMERS = 5
SHOWN = 5
"""Of what was found wrong, in a report."""


def spread(values: list[float]) -> dict[str, float]:
    """Number, median, 99th percentile and maximum, in milliseconds."""
    ordered = sorted(values)
    if not ordered:
        return {"n": 0, "p50": 0.0, "p99": 0.0, "max": 0.0}

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)

    return {"n": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)}


@dataclass
class Phase:
    """What was measured in a stretch of time; all in seconds."""

    began_s: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    trips: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    """Of ticks when they arrive, since the broker sent them."""
    joins: list[float] = field(default_factory=list)
    """From a newcomer's connect to the answer to its subscription."""
    lags: list[float] = field(default_factory=list)
    ticks: int = 0


class Innocents:
    """All of them, under one epoll."""

    def __init__(self, target: Target, clients: int, symbols: list[str], counted: bool) -> None:
        self._target, self._symbols, self._counted = target, symbols, counted
        self._epoll = select.epoll()
        self._by_fd: dict[int, Innocent] = {}
        self._masks: dict[int, int] = {}
        self._phases: dict[str, Phase] = {"start": Phase()}
        self._phase = self._phases["start"]
        self._due: dict[int, float] = {}
        self._newcomers: dict[int, Innocent] = {}
        self._newcomer_due = time.monotonic() + PING_S
        self._number = 0
        self._joined: list[tuple[float, float]] = []
        """When each newcomer came, and how long it took to subscribe."""
        now = time.monotonic()
        self._clients = [self._client(n) for n in range(clients)]
        for client in self._clients:
            self._open(client)
            self._due[id(client)] = now + random.random() * PING_S

    def _client(self, number: int) -> Innocent:
        place = 1 + number % 60_000
        address = f"127.1.{place // 250}.{1 + place % 250}"
        mine = [self._symbols[(number + i) % len(self._symbols)] for i in range(min(5, len(self._symbols)))]
        return Innocent(self._target, address, mine, counted=self._counted, on_tick=self._ticked)

    def _ticked(self, client: Innocent, tick: Message) -> None:
        self._phase.ticks += 1
        if "sourceTs" in tick and not tick.get("snapshot"):
            self._phase.ages.append(max(0.0, time.time() - tick["sourceTs"] / 1000))

    def _open(self, client: Innocent) -> None:
        try:
            client.open()
        except OSError as e:
            client.closes.append(str(e))
            client.leave()
            return
        fd = client.fileno()
        self._by_fd[fd] = client
        self._masks[fd] = select.EPOLLIN | select.EPOLLOUT
        self._epoll.register(fd, self._masks[fd])

    def run(self) -> None:
        """Until the input ends."""
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        os.set_blocking(sys.stdin.fileno(), False)
        beat = time.monotonic() + BEAT_S
        print("READY", flush=True)
        while True:
            for fd, _ in self._epoll.poll(max(0.0, beat - time.monotonic()), 256):
                if fd == sys.stdin.fileno():
                    data = os.read(fd, 4096)
                    if not data:
                        return
                    for line in data.decode().splitlines():
                        self._order(line)
                else:
                    self._ready(fd)
            now = time.monotonic()
            if now >= beat:
                self._phase.lags.append(now - beat)
                beat = now + BEAT_S
                self._beat(now)

    def _ready(self, fd: int) -> None:
        client = self._by_fd.get(fd)
        if client is None:
            return
        client.ready()
        if client.fileno() != fd:  # closed, and with it gone from the epoll
            self._by_fd.pop(fd)
            self._masks.pop(fd)
            return
        mask = select.EPOLLIN | (select.EPOLLOUT if client.wants_to_write else 0)
        if mask != self._masks[fd]:
            self._masks[fd] = mask
            self._epoll.modify(fd, mask)

    def _beat(self, now: float) -> None:
        for client in self._clients:
            if now >= self._due[id(client)]:
                self._due[id(client)] = now + PING_S
                if client.state == "open":
                    client.ping()
                elif client.state == "closed" and now > client.opened_s + RETRY_S:
                    self._open(client)
        for number, newcomer in list(self._newcomers.items()):
            if newcomer.state in ("open", "closed"):
                self._joined.append((newcomer.opened_s, (newcomer.subscribed_s or now) - newcomer.opened_s))
                del self._newcomers[number]
                self._by_fd.pop(newcomer.fileno(), None)
                self._masks.pop(newcomer.fileno(), None)
                newcomer.leave()
        if now >= self._newcomer_due and len(self._newcomers) < MAX_NEWCOMERS and not self._target.authority:
            self._newcomer_due = now + PING_S
            self._number += 1
            self._newcomers[self._number] = newcomer = self._client(1000 + self._number)
            self._open(newcomer)

    def _order(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "phase":
            self._end_phase()
            self._phase = self._phases.setdefault(rest, Phase())
            self._phase.began_s = time.monotonic()
        elif word == "report":
            print("REPORT " + json.dumps(self._report()), flush=True)

    def _end_phase(self) -> None:
        self._phase.seconds += time.monotonic() - self._phase.began_s

    def _report(self) -> dict[str, Any]:
        self._end_phase()
        now = time.monotonic()
        for client in self._clients:
            answered, client.pongs = client.pongs, []
            for sent_s, took_s in answered + [(sent_s, now - sent_s) for sent_s in client.pings.values()]:
                self._phase_of(sent_s).trips.append(took_s)
        joined, self._joined = self._joined, []
        for opened_s, took_s in joined + [(one.opened_s, now - one.opened_s) for one in self._newcomers.values()]:
            self._phase_of(opened_s).joins.append(took_s)
        faults = [fault for client in self._clients for fault in client.checker.faults + client.faults]
        closes = [f"{client.address}: {why}" for client in self._clients for why in client.closes]
        gaps = sum(len(gaps) for client in self._clients for gaps in client.checker.gaps.values())
        for client in self._clients:
            client.checker.faults.clear()
            client.faults.clear()
            client.closes.clear()
            client.checker.gaps.clear()
        ticks = sum(phase.ticks for phase in self._phases.values())
        phases = {name: self._figures(phase) for name, phase in self._phases.items() if phase.seconds}
        self._phases = {"rest": Phase()}
        self._phase = self._phases["rest"]
        return {
            "phases": phases,
            "ticks": ticks,
            "open": sum(client.state == "open" for client in self._clients),
            "faults": len(faults),
            "closes": len(closes),
            "gaps": gaps,
            "shown": faults[:SHOWN] + closes[:SHOWN],
        }

    def _phase_of(self, at_s: float) -> Phase:
        """The phase in which something began; what began before the last report counts for the first since."""
        begun = [phase for phase in self._phases.values() if phase.began_s <= at_s]
        return begun[-1] if begun else next(iter(self._phases.values()))

    @staticmethod
    def _figures(phase: Phase) -> dict[str, Any]:
        return {
            "seconds": round(phase.seconds, 1),
            "ticks_per_s": round(phase.ticks / phase.seconds, 1),
            "trip": spread(phase.trips),
            "age": spread(phase.ages),
            "join": spread(phase.joins),
            "lag": spread(phase.lags),
        }


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--symbols", required=True)
    parser.add_argument("--counted", action="store_true", help="the prices are those of tests.hostile.feed")
    parser.add_argument("--authority", default="", help="PEM file; then the port speaks TLS")
    options = parser.parse_args()
    target = Target(options.port, options.authority, os.environ.get("INNOCENT_TOKEN", ""))
    Innocents(target, options.clients, options.symbols.split(","), options.counted).run()


if __name__ == "__main__":
    main()
