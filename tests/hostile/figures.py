"""One attack, measured before, during and after; and the bounds that hold for it."""

import time
from dataclasses import dataclass
from typing import Any

from tests.hostile.rig import Stage, settled

LADDER = ((1, 1), (10, 1), (100, 1), (500, 5))
"""Connections, and addresses that they come from."""

TRIP_MS = {1: 100.0, 5: 250.0}
"""Of addresses: the bound of the innocents' round trip, 99th percentile."""

RSS_MIB = 40.0
"""Growth that is tolerated after the first attack: Python and malloc keep much of the memory that was freed."""

TICKS = 0.5
"""The innocents' ticks a second, at least so many times those of before. (Ticks that wait together are merged.)"""

SETTLE_S = 15.0
"""So long after an attack the descriptors must be those of before, and the memory at its bound."""


@dataclass(frozen=True)
class Length:
    """Seconds of each phase."""

    before_s: float
    during_s: float
    after_s: float


FULL = Length(5.0, 10.0, 5.0)
SHORT = Length(2.0, 3.0, 0.5)


@dataclass
class Figures:
    """What was seen; times of the innocents as `tests.hostile.innocents.spread` has them, in milliseconds."""

    attack: str
    connections: int
    addresses: int
    report: dict[str, Any]
    done: dict[str, int]
    rss_mib: tuple[float, float]
    """Before, and after."""
    peak_rss_mib: float
    descriptors: tuple[int, int]
    cpu: float
    """Share of its core that the relay used during the attack."""
    log_bytes: int
    """Written to the relay's log during the attack."""
    tracebacks: int

    def phase(self, name: str) -> dict[str, Any]:
        """The figures of ``before``, ``during`` or ``after``."""
        found: dict[str, Any] = self.report["phases"][name]
        return found

    def wrong(self, trip_ms: float = 0.0) -> list[str]:
        """What is beyond its bound, a line each; *trip_ms*: another bound of the round trip."""
        found = []
        bound = trip_ms or TRIP_MS[self.addresses]
        trip = self.phase("during")["trip"]
        if trip["p99"] > bound:
            found.append(f"round trip p99 {trip['p99']:.0f} ms, not {bound:.0f} ms")
        if not trip["n"]:
            found.append("no ping was sent")
        before, during = (self.phase(name)["ticks_per_s"] for name in ("before", "during"))
        if during < before * TICKS:
            found.append(f"{before:.0f} ticks a second became {during:.0f}")
        for what in ("faults", "closes", "gaps"):
            if self.report[what]:
                found.append(f"{self.report[what]} {what} of innocents: {self.report['shown']}")
        if self.rss_mib[1] - self.rss_mib[0] > RSS_MIB:
            found.append(f"memory {self.rss_mib[0]:.0f} -> {self.rss_mib[1]:.0f} MiB")
        if self.descriptors[1] > self.descriptors[0]:
            found.append(f"descriptors {self.descriptors[0]} -> {self.descriptors[1]}")
        if self.tracebacks:
            found.append(f"{self.tracebacks} tracebacks in the relay's log")
        if not self.done.get("connections"):
            found.append("the attackers did not get through")
        return found


def measure(stage: Stage, attack: str, connections: int, addresses: int, length: Length) -> Figures:
    """Make the attack on the stage."""
    inside, innocents = stage.relay, stage.innocents
    innocents.report()
    innocents.order("phase before")
    time.sleep(length.before_s)
    # A newcomer of the innocents may be there at the moment: one more than at the quietest of some moments.
    descriptors = min(_sampled(inside.descriptors)) + 1
    rss, log = inside.rss_mib(), stage.service.output.stat().st_size
    tracebacks = stage.service.text().count("Traceback")
    with stage.attackers(attack, connections, addresses, length.during_s) as attackers:
        innocents.order("phase during")
        cpu, began_s = inside.cpu_s(), time.monotonic()
        peak = rss
        while time.monotonic() < began_s + length.during_s:
            peak = max(peak, inside.rss_mib())
            time.sleep(0.2)
        cpu = (inside.cpu_s() - cpu) / (time.monotonic() - began_s)
        innocents.order("phase leaving")
        done = attackers.answer("DONE")
        logged = stage.service.output.stat().st_size - log
    descriptors_after = settled(inside.descriptors, descriptors, SETTLE_S)
    innocents.order("phase after")
    time.sleep(length.after_s)
    rss_after = settled(inside.rss_mib, rss + RSS_MIB, SETTLE_S)
    return Figures(
        attack=attack,
        connections=connections,
        addresses=addresses,
        report=innocents.report(),
        done=done,
        rss_mib=(rss, rss_after),
        peak_rss_mib=max(peak, rss_after),
        descriptors=(descriptors, min(int(descriptors_after), inside.descriptors())),
        cpu=cpu,
        log_bytes=logged,
        tracebacks=stage.service.text().count("Traceback") - tracebacks,
    )


def _sampled(read: Any) -> list[int]:
    found = []
    for _ in range(5):
        found.append(read())
        time.sleep(0.05)
    return found
