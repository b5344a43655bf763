"""One contender under one workload: server, feed and fleet brought up, measured as often as one likes, taken down.

It knows how the pieces fit together, not what is asked of them (``scenarios.py``), and prints nothing.
"""

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.contender import CACHE, Contender
from benchmarks.processes import BenchError, Process, cores, free_port
from benchmarks.workloads import WORKLOADS

STAGE_TIMEOUT_S = 150.0
FRESH_MS = 100.0
"""A rate is sustained while 99 of 100 ticks arrive younger than this,"""
COMPLETE = 0.95
"""and while so much of what was offered arrives."""
IDLE_TICKS = 50.0
SATURATED = 0.9
"""The load generator's share of its core beyond which it is the limit."""


@dataclass(frozen=True)
class Reading:
    """What one measurement saw."""

    offered: float
    """Deliveries a second that were asked for,"""
    fed: float
    """that the feed made due,"""
    rate: float
    """and that arrived."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_share: float
    load_busy: float
    rss_kib: int
    closed: int

    @property
    def sustained(self) -> bool:
        """Whether the server kept up with what it was fed."""
        return self.p99_ms < FRESH_MS and self.rate >= COMPLETE * self.fed and not self.closed

    @property
    def starved(self) -> bool:
        """Whether the load generator or the feed was at its end: a failure is not the server's then."""
        return self.load_busy > SATURATED or self.fed < COMPLETE * self.offered

    @property
    def per_cpu_second(self) -> float:
        """Ticks delivered for each second of the server's CPU time."""
        return self.rate / self.cpu_share if self.cpu_share else 0.0


class Session:
    """A context: on entering, everything runs and every client is subscribed."""

    def __init__(self, contender: Contender, workload: str) -> None:
        self.contender = contender
        self._workload = WORKLOADS[workload]
        self.clients = self._workload.clients
        self._stack = ExitStack()
        self.fan_out = self._workload.fan_out()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _start(self) -> None:
        port, feed_port = free_port(), free_port()
        server_core, load_core = cores()
        start = self.contender.start(port, feed_port)
        feeder = [sys.executable, "-m", *self.contender.feed.command(feed_port)]
        broker = self.contender.feed.connects
        self._port = port
        if not broker:
            self.feed = self._launch("feed", feeder, load_core)
            self.feed.hear(20)  # "listening"
        self.server = self._launch("server", start.command, server_core, start.env)
        self.server.await_port(port)
        if broker:
            self.server.await_port(feed_port)
            self.feed = self._launch("feed", feeder, load_core)
        self.feed.hear(30)  # "connected"
        self.rss_before_kib = self.server.rss_kib()
        self._load = self._launch_load("load")
        opened = self._load.ask("connect", STAGE_TIMEOUT_S)
        self.handshakes_per_s = self.clients / opened["handshakes_s"]
        self.subscribes_per_s = self.clients / opened["subscribes_s"]
        self._offered = 0.0

    def _launch(self, name: str, command: list[str], core: int, env: dict[str, str] | None = None) -> Process:
        """Start a process that ends with the session; the server, which gets an environment, is not talked to."""
        log = CACHE / f"{self.contender.name}.{name}.log"
        return self._stack.enter_context(Process(command, core, log=log, env=env, talks=env is None))

    def _launch_load(self, name: str) -> Process:
        """A load generator with this session's clients, not connected yet."""
        command = [sys.executable, "-m", "benchmarks.load", "--port", str(self._port)]
        command += ["--workload", self._workload.name, "--dialect", self.contender.dialect]
        return self._launch(name, command, cores()[1])

    def offer(self, delivered: float, settle_s: float = 0.5) -> None:
        """Let the feed run at a rate that makes so many deliveries a second, and wait for it to settle."""
        self.offer_ticks(delivered / self.fan_out, settle_s)

    def offer_ticks(self, ticks: float, settle_s: float = 0.5) -> None:
        """The same, in ticks a second before the fan-out."""
        self.feed.tell(f"rate {ticks}")
        self._offered = ticks * self.fan_out
        time.sleep(settle_s)

    def measure(self, seconds: float) -> Reading:
        """Count for so long at the rate that is set."""
        ticks, cpu, began = self._count(), self.server.cpu_s(), time.monotonic()
        seen = self._load.ask(f"measure {seconds}", seconds + 30)
        self.server.require_life()
        elapsed = time.monotonic() - began
        cpu_share = (self.server.cpu_s() - cpu) / elapsed
        return Reading(
            offered=self._offered,
            fed=(self._count() - ticks) / (time.monotonic() - began) * self.fan_out,
            rate=seen["rate"],
            p50_ms=seen["p50_ms"],
            p99_ms=seen["p99_ms"],
            max_ms=seen["max_ms"],
            cpu_share=cpu_share,
            load_busy=seen["busy"],
            rss_kib=self.server.rss_kib(),
            closed=seen["closed"],
        )

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

    def stall(self, clients: int) -> None:
        """So many clients stop reading."""
        self._load.ask(f"stall {clients}", STAGE_TIMEOUT_S)

    def churn(self, changes_per_s: float) -> None:
        """Clients change their lists all the time."""
        self._load.ask(f"churn {changes_per_s}", STAGE_TIMEOUT_S)

    def storm(self, seconds: float) -> Reading:
        """Measure while as many clients again join as fast as they can."""
        joining = self._launch_load("storm")
        joining.tell("connect")
        seen = self.measure(seconds)
        joining.hear(STAGE_TIMEOUT_S)
        return seen

    def leave(self) -> None:
        """Every client closes its connection."""
        self._load.ask("leave", STAGE_TIMEOUT_S)

    def resume(self, seconds: float) -> dict[str, float]:
        """They read again; says what they got."""
        return self._load.ask(f"resume {seconds}", seconds + STAGE_TIMEOUT_S)
