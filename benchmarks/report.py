"""Turns figures into the table of ``RESULTS.md``: medians over the rounds, each with its ratio to one baseline.

Text out, nothing else: no processes, no measuring. The only thing read is what machine this is.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scenarios import Figure, Figures

BASELINE = "ws"

CANNOT_TEXT = "cannot"

Rows = dict[str, dict[str, Figure | str]]
"""By contender and column: the median, or `CANNOT_TEXT`. Contenders that took no part have an empty row."""


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    key: str
    title: str
    digits: int


COLUMNS = (
    Column("A", "A max, k/s", 0),
    Column("B", "B max, k/s", 0),
    Column("light", "A equal light, k per CPU-s", 0),
    Column("light p50", "its p50, ms", 1),
    Column("light p99", "p99", 1),
    Column("own light", "B equal light, k per CPU-s", 0),
    Column("own light p50", "its p50, ms", 1),
    Column("own light p99", "p99", 1),
    Column("heavy", "A equal heavy, k per CPU-s", 0),
    Column("heavy p99", "its p99, ms", 1),
    Column("own heavy", "B equal heavy, k per CPU-s", 0),
    Column("own heavy p99", "its p99, ms", 1),
    Column("kib", "C: KiB a client", 1),
    Column("handshakes", "C: handshakes/s", 0),
    Column("subscribes", "C: subscribes/s", 0),
    Column("p50", "D: p50, ms", 2),
    Column("p99", "D: p99, ms", 2),
    Column("cpu", "D: CPU, %", 1),
)

WSS_COLUMNS = (
    Column("wss kib", "KiB a client", 1),
    Column("wss slow cpu", "100 ticks/s: CPU, %", 0),
    Column("wss slow p50", "p50, ms", 1),
    Column("wss slow p99", "p99", 1),
    Column("wss light cpu", "500 ticks/s: CPU, %", 0),
    Column("wss light", "k per CPU-s", 0),
    Column("wss light p50", "p50, ms", 1),
    Column("wss light p99", "p99", 1),
    Column("wss heavy cpu", "8,000 ticks/s: CPU, %", 0),
    Column("wss heavy", "k per CPU-s", 0),
    Column("wss heavy p50", "p50, ms", 1),
    Column("wss heavy p99", "p99", 1),
)

OWN_COLUMNS = (
    Column("upstream", "received and published with no subscriber, k ticks per CPU-s", 0),
    Column("cost 100", "CPU per delivered tick, 100 clients, µs", 2),
    Column("cost 1000", "1,000 clients, µs", 2),
    Column("cost 10000", "10,000 clients, µs", 2),
    Column("skew", "skewed popularity: max, k/s", 0),
    Column("few", "100 clients, 50 symbols each: max, k/s", 0),
    Column("many p50", "10,000 clients, 1 symbol each, 500 ticks/s: p50, ms", 1),
    Column("many p99", "p99", 1),
    Column("many trip", "longest wait of a request", 1),
    Column("churn p99", "B light, 1,000 list changes/s: p99, ms", 1),
    Column("churn cpu", "CPU, %", 0),
    Column("steps light", "A, light and heavy load by turns: p99 light, ms", 1),
    Column("steps heavy", "heavy", 1),
    Column("burst worst", "A light, 5,000 ticks at once: p99 of the worst 100 ms, ms", 1),
    Column("burst max", "oldest", 1),
    Column("join before", "A light: p99, ms", 1),
    Column("join p99", "while 5,000 join in 5 s", 1),
    Column("join worst", "worst 250 ms", 1),
    Column("join took", "p99 of a join", 1),
    Column("stuck before", "A, 2,000 ticks/s: p99, ms", 1),
    Column("stuck p99", "while 100 read nothing", 1),
    Column("stuck grown", "memory, MB more", 1),
    Column("slow before", "p99 again, ms", 1),
    Column("slow p99", "while 100 read 20 KB/s", 1),
    Column("slow grown", "memory, MB more", 1),
)

V1_COLUMNS = (
    Column("unlimited p50", "2,000 clients, 200 ticks/s: p50, ms", 1),
    Column("unlimited p99", "p99", 1),
    Column("unlimited cpu", "CPU, %", 0),
    Column("rated p50", "with limits of 1 to 10 ticks/s: p50 of ticks that are due at once, ms", 1),
    Column("rated p99", "p99", 1),
    Column("rated cpu", "CPU, %", 0),
    Column("resume before", "A light: p99, ms", 1),
    Column("resume worst before", "its worst 100 ms", 1),
    Column("resume worst", "worst 100 ms while 200 resume", 1),
    Column("resume ticks", "k ticks replayed", 0),
)

NOTES = """\
A: 1,000 clients, the same 10 of 50 symbols. B: 1,000 clients, 10 random symbols each. C: 10,000 clients, one symbol
each, idle. D: 100 clients, 10 random symbols each, 100 ticks/s. *Max* is the highest rate of ticks delivered whose p99
stays under 100 ms with at least 95 % of what was offered delivered; ≥ marks rows where the load generator ended first.
*Equal* is ticks delivered per CPU-second of the server at the same rate for all: light is 500 ticks/s in and 100,000
out, heavy 8,000 in and 1.6 million out. *cannot*: the server does not sustain that rate. In brackets: the ratio to
`{baseline}` in this run.

The server has one core, the load generator and the feed share another. tickrelay is the real service as a process and
decodes its ticks from a TLS connection; the others get theirs as 20-byte records over plain TCP, and NATS even as
finished JSON, which is in their favour."""


CHECKED = """\
Every tick that a client is sent is parsed and checked: its form, its numbers, that it was asked for, that it follows
the one before of its symbol. One that is wrong ends the run of that server. *Missing* are ticks that were fed and never
came: what a server drops or merges for clients that do not keep up, at rates beyond its limit or on purpose;
*conflated* those of which the server said so."""


def tallies(counts: Mapping[str, Mapping[str, int]]) -> str:
    """What was checked, a line a contender."""
    lines = ["| server | ticks checked | missing | conflated |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {of['checked']:,} | {of['missing']:,} | {of['conflated']:,} |" for name, of in counts.items()
    ]
    return "\n".join(lines)


def collect(rounds: Iterable[dict[str, Figures]], absent: Iterable[str]) -> Rows:
    """The medians of all rounds."""
    seen: dict[str, dict[str, list[Figure | None]]] = {}
    for figures in rounds:
        for name, cells in figures.items():
            for key, figure in cells.items():
                seen.setdefault(name, {}).setdefault(key, []).append(figure)
    rows: Rows = {name: {key: _median(found) for key, found in cells.items()} for name, cells in seen.items()}
    return rows | {name: {} for name in absent}


def _median(found: list[Figure | None]) -> Figure | str:
    figures = [figure for figure in found if figure is not None]
    if len(figures) * 2 <= len(found):
        return CANNOT_TEXT
    middle = statistics.median_low([figure.value for figure in figures])
    return next(figure for figure in figures if figure.value == middle)


def value(rows: Rows, name: str, key: str) -> float | None:
    """A figure as a number, where there is one."""
    cell = rows.get(name, {}).get(key)
    return cell.value if isinstance(cell, Figure) else None


def at_least(rows: Rows, name: str, key: str) -> bool:
    """Did the load generator end before the server did?"""
    cell = rows.get(name, {}).get(key)
    return isinstance(cell, Figure) and cell.at_least


def table(rows: Rows, columns: Iterable[Column], title: Callable[[str], str], baseline: str | None) -> str:
    """A Markdown table with the columns that anybody has a figure for."""
    shown = [column for column in columns if any(column.key in cells for cells in rows.values())]
    lines = ["| server | " + " | ".join(column.title for column in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for name in rows:
        cells = [_cell(rows, name, column, baseline) for column in shown]
        lines.append(f"| {title(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(rows: Rows, name: str, column: Column, baseline: str | None) -> str:
    cell = rows[name].get(column.key, "-")
    if isinstance(cell, str):
        return cell
    text = f"{'≥ ' if cell.at_least else ''}{cell.value:,.{column.digits}f}"
    base = value(rows, baseline, column.key) if baseline else None
    return f"{text} ({cell.value / base:.2f}x)" if base else text


def machine(versions: dict[str, str]) -> str:
    """What it ran on and with."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    lines = [
        f"- {time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load average at the start {os.getloadavg()[0]:.2f}",
    ]
    lines += [f"- {name}: {version}" for name, version in versions.items()]
    return "\n".join(lines)
