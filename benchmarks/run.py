"""``make bench``: every contender under every workload, alternating, and one table at the end.

    python -m benchmarks.run [--quick] [--only ws,tickrelay] [--scenario A,D] [--rounds 3] [--output FILE]

A full run writes ``benchmarks/RESULTS.md``; a partial one only prints, unless told where to write. Everything it
starts ends with it. It measures nothing itself: see ``scenarios.py`` for what and ``session.py`` for how.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

from benchmarks import columns, report, targets
from benchmarks.catalogue import CONTENDERS
from benchmarks.contender import CACHE, Contender, MissingError
from benchmarks.processes import ROOT, BenchError
from benchmarks.scenarios import SCENARIOS, Figures, Pass, Scenario
from benchmarks.session import Session

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
FULL_S, QUICK_S = 1.5, 1.0
OWN = "tickrelay"


def log(text: str) -> None:
    """Progress, for whoever watches."""
    print(text, file=sys.stderr, flush=True)


def prepare(names: list[str]) -> tuple[list[Contender], dict[str, str], dict[str, str]]:
    """Install or find each: who takes part, their versions, and a word for each that does not."""
    present: list[Contender] = []
    versions: dict[str, str] = {}
    absent: dict[str, str] = {}
    CACHE.mkdir(exist_ok=True)
    for name in names:
        try:
            version = CONTENDERS[name].prepare()
            present.append(CONTENDERS[name])
            if version not in versions.values():  # variants share theirs
                versions[name] = version
        except MissingError as error:
            absent[name] = str(error)
            log(f"{name}: {error}")
    return present, versions, absent


def takes_part(contender: Contender, scenario: Scenario) -> bool:
    """Whether this row has a figure in this scenario."""
    if scenario.name in contender.extra:
        return True
    return scenario.name in contender.scenarios if contender.scenarios else scenario.everybody


Tally = dict[str, Counter[str]]
"""By contender: see `Session.tally`."""


def one_session(contender: Contender, scenarios: list[Scenario], now: Pass, tally: Tally) -> Figures:
    """All scenarios that share a population of clients."""
    figures: Figures = {}
    try:
        with Session(contender, scenarios[0].workload) as session:
            for scenario in scenarios:
                found = scenario.measure(session, now)
                figures.update(found)
                now.hints.update({key: figure.value for key, figure in found.items() if figure})
            tally[contender.name] += session.tally
    except BenchError as error:
        log(f"  {contender.name}: {error}")
    return figures


def one_round(
    contenders: list[Contender], scenarios: list[Scenario], hints: dict[str, Pass], tally: Tally
) -> dict[str, Figures]:
    """Every workload once, and under each the contenders one after the other."""
    figures: dict[str, Figures] = {contender.name: {} for contender in contenders}
    for workload, group in groupby(scenarios, key=lambda s: s.workload):
        together = list(group)
        for contender in contenders:
            mine = [scenario for scenario in together if takes_part(contender, scenario)]
            if not mine:
                continue
            began = time.monotonic()
            found = one_session(contender, mine, hints[contender.name], tally)
            figures[contender.name].update(found)
            shown = ", ".join(f"{key} {cell.value:,.4g}" if cell else f"{key} cannot" for key, cell in found.items())
            log(f"  {workload:8} {contender.name:14} {shown}  [{time.monotonic() - began:.0f} s]")
    return figures


def document(rows: report.Rows, absent: dict[str, str], tally: Tally, machine: str, how: str) -> str:
    """The whole of RESULTS.md."""

    def title(name: str) -> str:
        return CONTENDERS[name].title + (f" ({absent[name]})" if name in absent else "")

    parts = [
        "# Results",
        f"Written by `make bench`; {how}.",
        report.table(
            {name: rows[name] for name in rows if not CONTENDERS[name].tls}, columns.COLUMNS, title, report.BASELINE
        ),
        report.NOTES.format(baseline=report.BASELINE),
        report.turned_table(rows, columns.WSS_COLUMNS, title),
        report.turned_table(rows, columns.OWN_COLUMNS, title),
        report.turned_table(rows, columns.V1_COLUMNS, title),
        report.CHECKED,
        report.tallies({title(name): counts for name, counts in tally.items()}),
        targets.check(rows),
        "## Machine and versions",
        machine,
    ]
    return "\n\n".join(part for part in parts if part.count("\n") != 1) + "\n"


def chosen(text: str | None, known: dict[str, object], what: str) -> list[str]:
    """A comma-separated choice, or everything."""
    names = text.split(",") if text else list(known)
    for name in names:
        if name not in known:
            sys.exit(f"unknown {what} {name}; known are {', '.join(known)}")
    return names


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, short measurements")
    parser.add_argument("--only", help=f"contenders, of {','.join(CONTENDERS)}")
    parser.add_argument("--scenario", help=f"scenarios, of {','.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, help="3 unless told, 1 if quick")
    parser.add_argument("--output", type=Path, help="where to write the results")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, at: sys.exit(f"stopped by signal {number}"))
    names = chosen(options.only, dict(CONTENDERS), "contender")
    scenarios = [SCENARIOS[name] for name in SCENARIOS if name in chosen(options.scenario, dict(SCENARIOS), "scenario")]
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = QUICK_S if options.quick else FULL_S

    contenders, versions, absent = prepare(names)
    machine = report.machine(versions)
    hints = {contender.name: Pass(seconds, {}) for contender in contenders}
    tally: Tally = {contender.name: Counter() for contender in contenders}
    began = time.monotonic()
    found = []
    for number in range(1, rounds + 1):
        log(f"round {number} of {rounds}")
        found.append(one_round(contenders, scenarios, hints, tally))
    minutes = (time.monotonic() - began) / 60
    how = f"medians of {rounds} rounds in one run of {minutes:.0f} minutes" if rounds > 1 else "one round"
    text = document(report.collect(found, absent), absent, tally, machine, how)
    print(text)
    partial = options.quick or options.only or options.scenario
    output = options.output or (None if partial else RESULTS)
    if output:
        output.write_text(text)
        log(f"written to {output}")


if __name__ == "__main__":
    main()
