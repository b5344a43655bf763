"""One contender under one workload: server, feed and clients brought up, measured as often as one likes, taken down.

It knows how the pieces fit together, not what is asked of them (``scenarios.py``), and prints nothing.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from benchmarks.contender import CACHE, Contender
from benchmarks.dialects import DIALECTS, Dialect
from benchmarks.loadgen import STAGE_TIMEOUT_S, Load, Plan
from benchmarks.processes import BenchError, Process, cores, free_port
from benchmarks.workloads import WORKLOADS, changes

FRESH_MS = 100.0
"""A rate is sustained while 99 of 100 ticks arrive younger than this,"""
COMPLETE = 0.95
"""and while so much of what was offered arrives."""
IDLE_TICKS = 50.0
SATURATED = 0.9
"""The load generator's share of its core beyond which it is the limit."""
WINDOW_MS = 100.0


@dataclass(frozen=True)
class Reading:
    """What one measurement saw. Ages are those of all ticks of the clients that are measured."""

    offered: float
    """Deliveries a second that were asked for,"""
    fed: float
    """that the feed made due,"""
    rate: float
    """and that arrived."""
    cpu_share: float
    rss_kib: int
    seen: dict[str, float]
    """What the load generator says: see `measure` in ``load/main.c``."""

    @property
    def p50_ms(self) -> float:
        """The median age."""
        return self.seen["p50_ms"]

    @property
    def p99_ms(self) -> float:
        """The age that one tick in a hundred exceeds."""
        return self.seen["p99_ms"]

    @property
    def sustained(self) -> bool:
        """Whether the server kept up with what it was fed."""
        return self.p99_ms < FRESH_MS and self.rate >= COMPLETE * self.fed and not self.seen["closed"]

    @property
    def starved(self) -> bool:
        """Whether the load generator or the feed was at its end: a failure is not the server's then."""
        return self.seen["busy"] > SATURATED or self.fed < COMPLETE * self.offered

    @property
    def per_cpu_second(self) -> float:
        """Ticks delivered for each second of the server's CPU time."""
        return self.rate / self.cpu_share if self.cpu_share else 0.0


WRONG = ("malformed", "unasked", "disordered", "repeated")


class Session:
    """A context: on entering, everything runs and every client is subscribed."""

    def __init__(self, contender: Contender, workload: str) -> None:
        self.contender = contender
        self._workload = WORKLOADS[workload]
        self.clients = self._workload.clients
        self._stack = ExitStack()
        self.fan_out = self._workload.fan_out()
        self.tally: Counter[str] = Counter()
        """Of the ticks that were measured: ``checked``, ``missing`` and ``conflated``."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @property
    def dialect(self) -> Dialect:
        """What the clients speak."""
        return DIALECTS[self.contender.dialect]

    def _start(self) -> None:
        self.port, feed_port = free_port(), free_port()
        server_core, load_core = cores()
        start = self.contender.start(self.port, feed_port)
        feeder = [sys.executable, "-m", *self.contender.feed.command(feed_port)]
        broker = self.contender.feed.connects
        if not broker:
            self.feed = self._launch("feed", feeder, load_core)
            self.feed.hear(20)  # "listening"
        self.server = self._launch("server", start.command, server_core, start.env)
        self.server.await_port(self.port)
        if broker:
            self.server.await_port(feed_port)
            self.feed = self._launch("feed", feeder, load_core)
        self.feed.hear(30)  # "connected"
        self.rss_before_kib = self.server.rss_kib()
        command = Load.command(self.port, self.contender.tls)
        self.load = Load(self._launch("load", command, load_core), CACHE, self.port)
        work = self._workload
        self.load.plan(0, Plan(self.dialect, work.subscriptions(), work.max_rates(), changes=changes(work)))
        self.handshakes_per_s = self.clients / self.load.ask("connect 0")["seconds"]
        self.subscribes_per_s = self.clients / self.load.ask("subscribe 0")["seconds"]
        self._offered = 0.0

    def _launch(self, name: str, command: list[str], core: int, env: dict[str, str] | None = None) -> Process:
        """Start a process that ends with the session; the server, which gets an environment, is not talked to."""
        log = CACHE / f"{self.contender.name}.{name}.log"
        return self._stack.enter_context(Process(command, core, log=log, env=env, talks=env is None))

    def offer(self, delivered: float, settle_s: float = 0.5) -> None:
        """Let the feed run at a rate that makes so many deliveries a second, and wait for it to settle."""
        self.offer_ticks(delivered / self.fan_out, settle_s)

    def offer_ticks(self, ticks: float, settle_s: float = 0.5) -> None:
        """The same, in ticks a second before the fan-out."""
        self.feed.tell(f"rate {ticks}")
        self._offered = ticks * self.fan_out
        time.sleep(settle_s)

    def burst(self, ticks: int) -> None:
        """Make so many ticks due at once, beside the rate."""
        self.feed.tell(f"burst {ticks}")

    def measure(self, seconds: float, window_ms: float = WINDOW_MS) -> Reading:
        """Count for so long at the rate that is set. Raises BenchError if the server sent anything wrong."""
        ticks, cpu, began = self._count(), self.server.cpu_s(), time.monotonic()
        seen = self.load.ask(f"measure {seconds} {window_ms}", seconds + 30)
        self.server.require_life()
        elapsed = time.monotonic() - began
        cpu_share = (self.server.cpu_s() - cpu) / elapsed
        self._check(seen)
        return Reading(
            offered=self._offered,
            fed=(self._count() - ticks) / (time.monotonic() - began) * self.fan_out,
            rate=seen["rate"],
            cpu_share=cpu_share,
            rss_kib=self.server.rss_kib(),
            seen=seen,
        )

    def _check(self, seen: dict[str, Any]) -> None:
        if wrong := {what: seen[what] for what in WRONG if seen[what]}:
            raise BenchError(f"{self.contender.name} sent what is wrong: {wrong}")
        self.tally += Counter(checked=seen["ticks"], missing=seen["missing"], conflated=seen["conflated"])

    def _count(self) -> int:
        """Ticks that fell due since the feed started."""
        self.feed.tell("count")
        return int(self.feed.hear(10))

    def calm(self, timeout_s: float = 20.0) -> None:
        """Stop the feed and wait until what was under way has arrived."""
        self.offer_ticks(0.0, 0.1)
        deadline = time.monotonic() + timeout_s
        while self.measure(0.2).rate > IDLE_TICKS:
            if time.monotonic() > deadline:
                raise BenchError("does not calm down")

    def more(self, group: int, lists: Sequence[Sequence[str]], requests: Sequence[bytes] = ()) -> None:
        """Another group of clients, not connected yet."""
        self.load.plan(group, Plan(self.dialect, lists, requests=requests))

    def leave(self) -> None:
        """Every client closes its connection."""
        self.load.ask("leave 0", STAGE_TIMEOUT_S)
