"""What is measured, and how: each scenario takes a running session and gives the figures of one row.

It neither starts nor formats anything: ``session.py`` and ``report.py`` do.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.positions import positions, resume_requests
from benchmarks.processes import BenchError
from benchmarks.search import max_sustained
from benchmarks.session import Reading, Session
from benchmarks.workloads import SUBSCRIBED, SYMBOLS


@dataclass(frozen=True)
class Figure:
    """One cell; ``at_least`` where the load generator ended before the server did."""

    value: float
    at_least: bool = False


CANNOT = None
"""In the place of a figure: the server does not sustain the rate at which the others are compared."""

Figures = dict[str, Figure | None]


@dataclass(frozen=True)
class Pass:
    """How long to measure, and what is already known of the same contender: figures by their key."""

    seconds: float
    hints: dict[str, float]


@dataclass(frozen=True)
class Scenario:
    """One way to use a session; several with the same workload share one.

    ``everybody`` is False where only those have a figure that name it as an extra.
    """

    name: str
    workload: str
    measure: Callable[[Session, Pass], Figures]
    everybody: bool = True


LIGHT, HEAVY = 100_000.0, 1_600_000.0
"""Deliveries a second for the comparison at equal load: 500 and 8,000 ticks a second into the workload A."""


def _figures(**values: float) -> Figures:
    return {key.replace("_", " "): Figure(value) for key, value in values.items()}


def _maximum(key: str) -> Callable[[Session, Pass], Figures]:
    def measure(session: Session, now: Pass) -> Figures:
        found = max_sustained(session, now.seconds * 0.75, now.hints.get(key, 0.0) * 1000)
        if not found.rate:
            return {key: CANNOT}
        return {key: Figure(found.rate / 1000, found.at_least)}

    return measure


def _load(key: str, seen: Reading) -> Figures:
    return {
        key: Figure(seen.per_cpu_second / 1000),
        f"{key} p50": Figure(seen.p50_ms),
        f"{key} p99": Figure(seen.p99_ms),
        f"{key} cpu": Figure(seen.cpu_share * 100),
    }


def _equal(key: str, delivered: float, *, strict: bool) -> Callable[[Session, Pass], Figures]:
    """Efficiency at a common rate; where it is not strict, one that falls short is measured at full stretch."""

    def measure(session: Session, now: Pass) -> Figures:
        session.offer(delivered)
        seen = session.measure(now.seconds)
        session.calm()
        if strict and not seen.sustained:
            return {key: CANNOT}
        return _load(key, seen)

    return measure


def _memory(key: str) -> Callable[[Session, Pass], Figures]:
    def measure(session: Session, now: Pass) -> Figures:
        return {key: Figure((session.server.rss_kib() - session.rss_before_kib) / session.clients)}

    return measure


def _idle(session: Session, now: Pass) -> Figures:
    opened = _figures(handshakes=session.handshakes_per_s, subscribes=session.subscribes_per_s)
    return _memory("kib")(session, now) | opened


def _latency(session: Session, now: Pass) -> Figures:
    session.offer_ticks(100.0)
    seen = session.measure(now.seconds * 2)
    return _figures(p50=seen.p50_ms, p99=seen.p99_ms, cpu=seen.cpu_share * 100)


def _upstream(session: Session, now: Pass) -> Figures:
    """What receiving costs when nobody listens any longer, at a rate the feed can make while it encrypts."""
    session.leave()
    session.offer_ticks(30_000.0)
    seen = session.measure(now.seconds)
    return _figures(upstream=seen.fed / session.fan_out / seen.cpu_share / 1000)


def _cost(key: str) -> Callable[[Session, Pass], Figures]:
    """CPU per delivered tick at 100 ticks a second, whatever the number of clients."""

    def measure(session: Session, now: Pass) -> Figures:
        session.offer_ticks(100.0)
        seen = session.measure(now.seconds * 2)
        return {key: Figure(1e6 / seen.per_cpu_second) if seen.per_cpu_second else CANNOT}

    return measure


def _churn(session: Session, now: Pass) -> Figures:
    """Light load while every client changes its list once a second, on average."""
    session.load.ask(f"churn {session.clients}")
    session.offer(LIGHT)
    seen = session.measure(now.seconds)
    return _figures(churn_p99=seen.p99_ms, churn_cpu=seen.cpu_share * 100)


def _many(session: Session, now: Pass) -> Figures:
    """10,000 clients that must each be sent to: how old ticks get, and how long a request waits."""
    session.load.ask("probe 2")
    session.offer(LIGHT)
    seen = session.measure(now.seconds * 2)
    session.calm()
    return _figures(many_p50=seen.p50_ms, many_p99=seen.p99_ms, many_trip=seen.seen["trip_max_ms"])


JOIN_S, JOINERS = 5.0, 5_000
WORST_JOIN_WINDOW_MS = 250.0


def _join(session: Session, now: Pass) -> Figures:
    """Light load while 5,000 clients with lists of their own join in 5 s; the ages are those of the others."""
    source = random.Random(5)
    session.more(1, [source.sample(SYMBOLS, SUBSCRIBED) for _ in range(JOINERS)])
    session.offer(LIGHT)
    before = session.measure(now.seconds)
    session.load.ask(f"join 1 {JOINERS / JOIN_S}")
    seen = session.measure(JOIN_S, WORST_JOIN_WINDOW_MS)
    joined = session.load.ask("joined 1")
    session.load.ask("leave 1")
    return _figures(
        join_before=before.p99_ms,
        join_p99=seen.p99_ms,
        join_worst=seen.seen["worst_window_ms"],
        join_took=joined["p99_ms"],
    )


RESUMERS, MISSED_S = 200, 7.0


def _resume(session: Session, now: Pass) -> Figures:
    """Light load while 200 clients resume at once, each with 7 s of its ten symbols missed: about 700 ticks."""
    session.offer(LIGHT, settle_s=1.0)
    symbols = list(SYMBOLS[:SUBSCRIBED])
    at = positions(session.port, symbols)
    before = session.measure(MISSED_S)
    session.more(1, [symbols] * RESUMERS, [resume_requests(symbols, at)] * RESUMERS)
    session.load.ask("connect 1")
    session.load.ask("request 1")
    seen = session.measure(2.0)
    replayed = session.load.ask("count 1")
    if replayed["missing"] or replayed["wrong"]:
        raise BenchError(f"the replay is not what was missed: {replayed}")
    session.load.ask("leave 1")
    return _figures(
        resume_before=before.p99_ms,
        resume_worst_before=before.seen["worst_window_ms"],
        resume_worst=seen.seen["worst_window_ms"],
        resume_ticks=replayed["ticks"] / 1000,
    )


RATED_TICKS = 200.0


def _rated(key: str) -> Callable[[Session, Pass], Figures]:
    """200 ticks a second: how old is a symbol's tick that comes when its client is due one; all of them, unlimited."""

    def measure(session: Session, now: Pass) -> Figures:
        session.offer_ticks(RATED_TICKS, settle_s=2.0)
        seen = session.measure(now.seconds * 3)
        which = "quiet_" if seen.seen["quiet"] else ""
        return {
            f"{key} p50": Figure(seen.seen[f"{which}p50_ms"]),
            f"{key} p99": Figure(seen.seen[f"{which}p99_ms"]),
            f"{key} cpu": Figure(seen.cpu_share * 100),
        }

    return measure


STEPS = 6


def _steps(session: Session, now: Pass) -> Figures:
    """Light and heavy load by turns of half a second: a rest that comes and goes shows as age."""
    lightest, heaviest = [], []
    for _ in range(STEPS):
        session.offer(LIGHT, settle_s=0.1)
        lightest.append(session.measure(0.4).p99_ms)
        session.offer(HEAVY, settle_s=0.1)
        heaviest.append(session.measure(0.4).p99_ms)
    session.calm()
    return _figures(steps_light=sorted(lightest)[STEPS // 2], steps_heavy=sorted(heaviest)[STEPS // 2])


BURST = 5_000


def _burst(session: Session, now: Pass) -> Figures:
    """5,000 ticks at once into the light load."""
    session.offer(LIGHT)
    session.burst(BURST)
    seen = session.measure(1.0)
    session.calm()
    return _figures(burst_worst=seen.seen["worst_window_ms"], burst_max=seen.seen["max_ms"])


APART, APART_S, SLOW_BYTES_S = 100, 6.0, 20_000


def _apart(key: str, command: str) -> Callable[[Session, Pass], Figures]:
    """2,000 ticks a second while a tenth of the clients does not keep up; the ages are those of the others."""

    def measure(session: Session, now: Pass) -> Figures:
        session.offer_ticks(2_000.0)
        before = session.measure(now.seconds)
        session.load.ask(command)
        seen = session.measure(APART_S)
        session.load.ask("awake 2")
        session.calm()
        return {
            f"{key} before": Figure(before.p99_ms),
            f"{key} p99": Figure(seen.p99_ms),
            f"{key} grown": Figure((seen.rss_kib - before.rss_kib) / 1024),
        }

    return measure


_SCENARIOS = (
    Scenario("light", "A", _equal("light", LIGHT, strict=False)),
    Scenario("A", "A", _maximum("A")),
    Scenario("heavy", "A", _equal("heavy", HEAVY, strict=True)),
    Scenario("steps", "A", _steps, everybody=False),
    Scenario("burst", "A", _burst, everybody=False),
    Scenario("join", "A", _join, everybody=False),
    Scenario("own light", "B", _equal("own light", LIGHT, strict=False)),
    Scenario("B", "B", _maximum("B")),
    Scenario("own heavy", "B", _equal("own heavy", HEAVY, strict=True)),
    Scenario("C", "C", _idle),
    Scenario("many", "C", _many, everybody=False),
    Scenario("D", "D", _latency),
    Scenario("grow-100", "D", _cost("cost 100"), everybody=False),
    Scenario("upstream", "single", _upstream, everybody=False),
    Scenario("grow-1000", "B", _cost("cost 1000"), everybody=False),
    Scenario("grow-10000", "own-10000", _cost("cost 10000"), everybody=False),
    Scenario("skew", "skew", _maximum("skew"), everybody=False),
    Scenario("churn", "churn", _churn, everybody=False),
    Scenario("few", "few", _maximum("few"), everybody=False),
    Scenario("stuck", "A", _apart("stuck", f"stall {APART}"), everybody=False),
    Scenario("slow", "A", _apart("slow", f"slow {APART} {SLOW_BYTES_S}"), everybody=False),
    Scenario("unlimited", "unlimited", _rated("unlimited"), everybody=False),
    Scenario("rated", "rated", _rated("rated"), everybody=False),
    Scenario("resume", "A", _resume, everybody=False),
    Scenario("wss kib", "A", _memory("wss kib"), everybody=False),
    Scenario("wss slow", "A", _equal("wss slow", LIGHT / 5, strict=False), everybody=False),
    Scenario("wss light", "A", _equal("wss light", LIGHT, strict=False), everybody=False),
    Scenario("wss heavy", "A", _equal("wss heavy", HEAVY, strict=False), everybody=False),
)

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _SCENARIOS}
