"""The ratios asked of tickrelay, checked against the figures of one run. Values in, text out."""

from dataclasses import dataclass

from benchmarks.report import Rows, at_least, value


@dataclass(frozen=True)
class Target:
    """A figure of a row: at least ``must`` (at most, where less is better).

    With ``against`` it is a ratio to another row's, which may be that of another column.
    """

    what: str
    row: str
    key: str
    must: float
    aim: float | None
    less: bool = False
    against: str = ""
    against_key: str = ""


def _ratio(what: str, row: str, key: str, against: str, must: float, aim: float, *, less: bool = False) -> Target:
    return Target(f"{what}, against {against}", row, key, must, aim, less, against, key)


def _bound(what: str, row: str, key: str, must: float, aim: float) -> Target:
    return Target(what, row, key, must, aim, less=True)


TARGETS = (
    Target(
        "TLS, 500 ticks/s: CPU against plain",
        "tickrelay-wss",
        "wss light cpu",
        2.0,
        1.6,
        True,
        "tickrelay",
        "light cpu",
    ),
    _bound("TLS, 500 ticks/s: p99, ms", "tickrelay-wss", "wss light p99", 45, 30),
    _ratio("TLS, 500 ticks/s: per CPU-second", "tickrelay-wss", "wss light", "ws-tls", 1.0, 1.3),
    _bound("TLS: KiB a client", "tickrelay-wss", "wss kib", 33, 24),
    _bound("light load, own lists: p50, ms", "tickrelay", "own light p50", 3, 2),
    _bound("light load, own lists: p99, ms", "tickrelay", "own light p99", 5, 4),
    _ratio("light load, own lists: per CPU-second", "tickrelay", "own light", "floor", 0.85, 0.95),
    _ratio("heavy load, shared lists: per CPU-second", "tickrelay", "heavy", "floor-rest", 0.9, 0.95),
    _ratio("heavy load, own lists: per CPU-second", "tickrelay", "own heavy", "floor-rest", 0.9, 0.95),
    _ratio("max, shared lists", "tickrelay", "A", "socketify", 1.3, 1.6),
    _ratio("max, own lists", "tickrelay", "B", "socketify", 1.3, 1.6),
    _ratio("heavy load, shared lists: per CPU-second", "tickrelay", "heavy", "node", 1.2, 1.4),
    _ratio("heavy load, own lists: per CPU-second", "tickrelay", "own heavy", "node", 1.2, 1.4),
    Target(
        "limits of 1 to 10 ticks/s: p50 of due ticks against unlimited",
        "tickrelay-v1",
        "rated p50",
        1.3,
        1.1,
        True,
        "tickrelay-v1",
        "unlimited p50",
    ),
    _bound("200 resume: worst 100 ms, ms", "tickrelay-v1", "resume worst", 60, 30),
    _bound("5,000 join in 5 s: p99, ms", "tickrelay", "join p99", 45, 30),
    _bound("10,000 clients, 1 symbol each: p99, ms", "tickrelay", "many p99", 90, 70),
    _bound("10,000 clients, 1 symbol each: longest wait of a request, ms", "tickrelay", "many trip", 15, 8),
    _ratio("100 ticks/s: p50", "tickrelay", "p50", "ws", 1.05, 1.0, less=True),
    _ratio("100 ticks/s: p99", "tickrelay", "p99", "ws", 0.8, 0.7, less=True),
    _ratio("handshakes a second", "tickrelay", "handshakes", "autobahn", 1.0, 2.0),
    _ratio("v1 against basic, heavy load: per CPU-second", "tickrelay-v1", "heavy", "tickrelay", 0.85, 0.95),
    _bound("KiB an idle client", "tickrelay", "kib", 12, 8),
    Target("k ticks received per CPU-second, no subscriber", "tickrelay", "upstream", 100, 150),
    Target(
        "CPU per delivered tick, 10,000 clients against 100",
        "tickrelay",
        "cost 10000",
        1.5,
        None,
        True,
        "tickrelay",
        "cost 100",
    ),
)


def verdict(found: float, target: Target) -> str:
    """Missed, met or beaten."""
    sign = -1 if target.less else 1
    if target.aim is not None and found * sign >= target.aim * sign:
        return "aim"
    return "must" if found * sign >= target.must * sign else "**missed**"


def check(rows: Rows) -> str:
    """One line for each target whose figures this run has."""
    lines = ["| asked of tickrelay | found | must | aim | verdict |", "|---|---|---|---|---|"]
    for target in TARGETS:
        found, unit = value(rows, target.row, target.key), ""
        if target.against:
            theirs = value(rows, target.against, target.against_key)
            found, unit = (found / theirs if found is not None and theirs else None), "x"
        if found is None:
            continue
        mark = verdict(found, target)
        if mark != "**missed**" and target.against and at_least(rows, target.against, target.against_key):
            mark = "open: the load generator ended before " + target.against
        aim = "" if target.aim is None else f"{target.aim:g}{unit}"
        lines.append(f"| {target.what} | {found:.{2 if unit else 1}f}{unit} | {target.must:g}{unit} | {aim} | {mark} |")
    return "\n".join(lines) if len(lines) > 2 else ""
