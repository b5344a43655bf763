"""Turns figures into the table of ``RESULTS.md``: medians over the rounds, each with its ratio to one baseline.

Text out, nothing else: no processes, no measuring. The only thing read is what machine this is.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from benchmarks.columns import Column
from benchmarks.scenarios import Figure, Figures

BASELINE = "ws"

CANNOT_TEXT = "cannot"

Rows = dict[str, dict[str, Figure | str]]
"""By contender and column: the median, or `CANNOT_TEXT`. Contenders that took no part have an empty row."""


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


def turned_table(rows: Rows, columns: Iterable[Column], title: Callable[[str], str]) -> str:
    """The same with a line for each figure and a column for each server; only servers that have one of them."""
    keys = {column.key for column in columns}
    mine = {name: cells for name, cells in rows.items() if keys & cells.keys()}
    lines = ["| | " + " | ".join(map(title, mine)) + " |", "|---" * (len(mine) + 1) + "|"]
    for column in columns:
        if any(column.key in cells for cells in mine.values()):
            lines.append(f"| {column.title} | " + " | ".join(_cell(rows, name, column, None) for name in mine) + " |")
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
