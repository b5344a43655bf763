"""What is measured, and how: each scenario takes a running session and gives the figures of one row.

It neither starts nor formats anything: ``session.py`` and ``report.py`` do.
"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.search import max_sustained
from benchmarks.session import Session


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

    ``everybody`` is False where only tickrelay and its variants have to answer.
    """

    name: str
    workload: str
    measure: Callable[[Session, Pass], Figures]
    everybody: bool = True


LIGHT, HEAVY = 100_000.0, 1_600_000.0
"""Deliveries a second for the comparison at equal load: 500 and 8,000 ticks a second into the workload A."""


def _maximum(key: str) -> Callable[[Session, Pass], Figures]:
    def measure(session: Session, now: Pass) -> Figures:
        found = max_sustained(session, now.seconds * 0.75, now.hints.get(key, 0.0) * 1000)
        if not found.rate:
            return {key: CANNOT}
        return {key: Figure(found.rate / 1000, found.at_least)}

    return measure


def _equal(key: str, delivered: float, *, strict: bool) -> Callable[[Session, Pass], Figures]:
    """Efficiency at a common rate; where it is not strict, one that falls short is measured at full stretch."""

    def measure(session: Session, now: Pass) -> Figures:
        if strict and now.hints.get("A", delivered) < delivered / 2000:
            return {key: CANNOT}  # its maximum is known to be far below
        session.offer(delivered)
        seen = session.measure(now.seconds)
        session.calm()
        if strict and not seen.sustained:
            return {key: CANNOT}
        return {
            key: Figure(seen.per_cpu_second / 1000),
            f"{key} p50": Figure(seen.p50_ms),
            f"{key} p99": Figure(seen.p99_ms),
        }

    return measure


def _idle(session: Session, now: Pass) -> Figures:
    kib = (session.server.rss_kib() - session.rss_before_kib) / session.clients
    return {
        "kib": Figure(kib),
        "handshakes": Figure(session.handshakes_per_s),
        "subscribes": Figure(session.subscribes_per_s),
    }


def _latency(session: Session, now: Pass) -> Figures:
    session.offer_ticks(100.0)
    seen = session.measure(now.seconds * 2)
    return {"p50": Figure(seen.p50_ms), "p99": Figure(seen.p99_ms), "cpu": Figure(seen.cpu_share * 100)}


def _upstream(session: Session, now: Pass) -> Figures:
    """What receiving costs when nobody listens any longer, at a rate the feed can make while it encrypts."""
    session.leave()
    session.offer_ticks(30_000.0)
    seen = session.measure(now.seconds)
    return {"upstream": Figure(seen.fed / session.fan_out / seen.cpu_share / 1000)}


def _cost(key: str) -> Callable[[Session, Pass], Figures]:
    """CPU per delivered tick at 100 ticks a second, whatever the number of clients."""

    def measure(session: Session, now: Pass) -> Figures:
        session.offer_ticks(100.0)
        seen = session.measure(now.seconds * 2)
        return {key: Figure(1e6 / seen.per_cpu_second) if seen.per_cpu_second else CANNOT}

    return measure


def _churn(session: Session, now: Pass) -> Figures:
    """Light load while every client changes its list once a second, on average."""
    session.churn(session.clients)
    session.offer(LIGHT)
    seen = session.measure(now.seconds)
    return {"churn p99": Figure(seen.p99_ms), "churn cpu": Figure(seen.cpu_share * 100)}


def _storm(session: Session, now: Pass) -> Figures:
    """Light load while as many clients again join; the ages are those of the clients that were there."""
    session.offer(LIGHT)
    return {"storm p99": Figure(session.storm(now.seconds).p99_ms)}


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("light", "A", _equal("light", LIGHT, strict=False)),
        Scenario("A", "A", _maximum("A")),
        Scenario("heavy", "A", _equal("heavy", HEAVY, strict=True)),
        Scenario("B", "B", _maximum("B")),
        Scenario("C", "C", _idle),
        Scenario("D", "D", _latency),
        Scenario("grow-100", "D", _cost("cost 100"), everybody=False),
        Scenario("upstream", "single", _upstream, everybody=False),
        Scenario("grow-1000", "B", _cost("cost 1000"), everybody=False),
        Scenario("grow-10000", "own-10000", _cost("cost 10000"), everybody=False),
        Scenario("skew", "skew", _maximum("skew"), everybody=False),
        Scenario("churn", "B", _churn, everybody=False),
        Scenario("storm", "A", _storm, everybody=False),
        Scenario("few", "few", _maximum("few"), everybody=False),
        Scenario("many", "C", _maximum("many"), everybody=False),
    )
}
