"""Clients that stop reading: what it does to the others, to the server's memory, and what they get when they are back.

    python -m benchmarks.stuck [--seconds 60] [--only tickrelay,socketify] [--ticks 2000] [--stuck 100]

1,000 clients with the same 10 of 50 symbols; a tenth of them stops reading for a minute. tickrelay is told to be more
patient than usual, since it would close them after 30 s. Contenders that cannot sustain the rate show that instead.
"""

import argparse
import signal
import statistics
import sys
import time

from benchmarks.catalogue import CONTENDERS
from benchmarks.contender import CACHE, Contender, MissingError
from benchmarks.processes import BenchError
from benchmarks.relay import stuck_contender
from benchmarks.report import machine
from benchmarks.session import Session

BEFORE_S = 5.0
SLICE_S = 5.0
RESUME_S = 3.0
PATIENCE_S = 60.0
"""More than the clients are stuck."""

COLUMNS = (
    ("others' p99 before, ms", "{before:.1f}"),
    ("during, ms", "{during:.1f}"),
    ("worst slice, ms", "{worst:.1f}"),
    ("after, ms", "{after:.1f}"),
    ("delivered to the others", "{delivered:.1%}"),
    ("RSS before, MB", "{rss_before:.1f}"),
    ("highest during", "{rss_during:.1f}"),
    ("after", "{rss_after:.1f}"),
    ("stuck clients cut off", "{closed:.0f} of {clients:.0f}"),
    ("data older than 1 s, each, KiB", "{stale_kib:.0f}"),
    ("then got new prices", "{fresh:.0f}"),
    ("after, ms (median, max)", "{fresh_after_ms:.0f}, {fresh_after_ms_max:.0f}"),
    ("and old ones again", "{stale_after_fresh:.0f}"),
)


def observe(session: Session, ticks: float, stuck: int, seconds: float) -> dict[str, float]:
    """One contender's figures."""
    session.offer_ticks(ticks, 2.0)
    before = session.measure(BEFORE_S)
    session.load.ask(f"stall {stuck}")
    slices = []
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 1.0:
        slices.append(session.measure(min(SLICE_S, left)))
    back = session.load.ask(f"awake {RESUME_S}", RESUME_S + 30)
    after = session.measure(BEFORE_S)
    reading = 1 - stuck / session.clients
    return {
        "before": before.p99_ms,
        "during": statistics.median(one.p99_ms for one in slices),
        "worst": max(one.p99_ms for one in slices),
        "after": after.p99_ms,
        "delivered": sum(one.rate for one in slices) / sum(one.fed for one in slices) / reading,
        "rss_before": before.rss_kib / 1024,
        "rss_during": max(one.rss_kib for one in slices) / 1024,
        "rss_after": after.rss_kib / 1024,
        **back,
    }


def row(contender: Contender, ticks: float, stuck: int, seconds: float) -> str:
    """One line of the table, or why there is none."""
    try:
        contender.prepare()
        with Session(contender, "A") as session:
            found = observe(session, ticks, stuck, seconds)
        cells = [text.format(**found) for _, text in COLUMNS]
    except (BenchError, MissingError) as error:
        print(f"{contender.name}: {error}", file=sys.stderr)
        cells = ["cannot"] * len(COLUMNS)
    return f"| {contender.title} | " + " | ".join(cells) + " |"


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they do not read")
    parser.add_argument("--stuck", type=int, default=100, help="how many they are")
    parser.add_argument("--ticks", type=float, default=2_000.0, help="ticks a second into the server")
    parser.add_argument("--only", default="tickrelay", help=f"contenders, of {','.join(CONTENDERS)}")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, at: sys.exit(f"stopped by signal {number}"))
    CACHE.mkdir(exist_ok=True)
    print("| server | " + " | ".join(title for title, _ in COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name in options.only.split(","):
        contender = stuck_contender(options.seconds + PATIENCE_S) if name == "tickrelay" else CONTENDERS[name]
        print(row(contender, options.ticks, options.stuck, options.seconds), flush=True)
    print("\n" + machine({}))


if __name__ == "__main__":
    main()
