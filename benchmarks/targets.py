"""The ratios asked of tickrelay, checked against the figures of one run. Values in, text out."""

from dataclasses import dataclass

from benchmarks.report import Rows, at_least, value


@dataclass(frozen=True)
class Target:
    """``row`` against ``against`` in one column: at least ``must`` times (at most, where less is better)."""

    key: str
    what: str
    row: str
    against: str
    must: float
    aim: float
    less: bool = False


TARGETS = (
    Target("A", "max, shared lists", "tickrelay", "ws", 18, 25),
    Target("B", "max, lists of one's own", "tickrelay", "ws", 18, 25),
    Target("A", "max, shared lists", "tickrelay", "socketify", 1.0, 1.2),
    Target("B", "max, lists of one's own", "tickrelay", "socketify", 1.0, 1.2),
    Target("heavy", "equal heavy load", "tickrelay", "floor", 0.8, 0.95),
    Target("heavy", "equal heavy load", "tickrelay", "nats", 1.0, 1.15),
    Target("heavy", "equal heavy load", "tickrelay", "socketify", 1.0, 1.15),
    Target("light", "equal light load", "tickrelay", "ws", 1.2, 1.4),
    Target("light", "equal light load", "tickrelay", "picows", 0.85, 1.0),
    Target("light", "equal light load, 10 ms window", "tickrelay-10ms", "picows", 1.0, 1.3),
    Target("light", "equal light load, 10 ms window", "tickrelay-10ms", "floor", 1.0, 1.3),
    Target("p50", "latency, p50", "tickrelay", "ws", 1.0, 0.7, less=True),
    Target("p99", "latency, p99", "tickrelay", "ws", 1.0, 0.7, less=True),
    Target("handshakes", "handshakes a second", "tickrelay", "autobahn", 1.0, 2.0),
    Target("heavy", "v1 against basic, equal heavy load", "tickrelay-v1", "tickrelay", 0.85, 0.95),
)

ABSOLUTE = (
    ("kib", "KiB per idle client", 12.0, 8.0, True),
    ("upstream", "k ticks received per CPU-second, no subscriber", 100.0, 150.0, False),
)

GROWTH = ("cost 100", "cost 1000", "cost 10000")
GROWTH_BOUND = 1.5


def verdict(found: float, must: float, aim: float, less: bool) -> str:
    """Missed, met or beaten."""
    sign = -1 if less else 1
    if found * sign >= aim * sign:
        return "aim"
    return "must" if found * sign >= must * sign else "**missed**"


def check(rows: Rows) -> str:
    """One line for each target whose figures this run has."""
    lines = ["| asked of tickrelay | found | must | aim | verdict |", "|---|---|---|---|---|"]
    for t in TARGETS:
        mine, theirs = value(rows, t.row, t.key), value(rows, t.against, t.key)
        if mine is not None and theirs:
            ratio = mine / theirs
            mark = verdict(ratio, t.must, t.aim, t.less)
            if at_least(rows, t.against, t.key) and mark != "**missed**":
                mark = "open: the load generator ended before " + t.against
            lines.append(f"| {t.what}, against {t.against} | {ratio:.2f}x | {t.must}x | {t.aim}x | {mark} |")
    for key, what, must, aim, less in ABSOLUTE:
        found = value(rows, "tickrelay", key)
        if found is not None:
            lines.append(f"| {what} | {found:.1f} | {must:g} | {aim:g} | {verdict(found, must, aim, less)} |")
    costs = [cost for key in GROWTH if (cost := value(rows, "tickrelay", key))]
    if len(costs) == len(GROWTH):
        growth = costs[-1] / costs[0]
        mark = verdict(growth, GROWTH_BOUND, GROWTH_BOUND, True)
        lines.append(
            f"| CPU per delivered tick, 10,000 clients against 100 | {growth:.2f}x | {GROWTH_BOUND}x | | {mark} |"
        )
    return "\n".join(lines) if len(lines) > 2 else ""
