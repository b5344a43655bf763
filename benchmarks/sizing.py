"""What a relay needs for so many clients and ticks: CPU, memory, bandwidth and latency, over plain TCP and over TLS.

    python -m benchmarks.sizing [--seconds 3]

Each client has ten symbols of its own out of fifty; ticks are those that come from the broker, spread evenly over the
fifty, so a client gets a fifth of them. A core is one of this machine's. *behind*: the relay does not keep up.
"""

import argparse
import signal
import sys
from collections.abc import Iterator

from benchmarks.contender import CACHE, Contender
from benchmarks.processes import BenchError
from benchmarks.relay import RELAYS
from benchmarks.report import machine
from benchmarks.session import Reading, Session

WORKLOADS = ("D", "B", "own-5000", "own-10000")
TICKS = (20, 100, 500, 2_000)
HEAD = "| clients | ticks/s in | delivered/s | |" + " CPU, % | p50, ms | p99, ms | Mbit/s | memory, MB |"
KINDS = {"tickrelay": "ws", "tickrelay-wss": "wss"}


def lines(contender: Contender, workload: str, seconds: float) -> Iterator[str]:
    """A line of the table for each rate; ends at the first that is too high."""
    with Session(contender, workload) as session:
        for ticks in TICKS:
            session.offer_ticks(ticks, 1.0)
            seen = session.measure(seconds)
            head = f"| {session.clients:,} | {ticks:,} | {ticks * session.fan_out:,.0f} | {KINDS[contender.name]} |"
            if not seen.sustained:
                yield f"{head} behind | | | | |"
                return
            yield f"{head} {figures(seen)} |"


def figures(seen: Reading) -> str:
    """The cells of one reading."""
    mbit_s = seen.seen["bytes"] * 8 / seen.seen["seconds"] / 1e6
    ages = f"{seen.p50_ms:.1f} | {seen.p99_ms:.1f}"
    return f"{seen.cpu_share * 100:.0f} | {ages} | {mbit_s:,.0f} | {seen.rss_kib / 1024:.0f}"


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to measure each")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, at: sys.exit(f"stopped by signal {number}"))
    CACHE.mkdir(exist_ok=True)
    print(HEAD + "\n" + "|---" * 9 + "|")
    for workload in WORKLOADS:
        for contender in RELAYS:
            if contender.name in KINDS:
                try:
                    for line in lines(contender, workload, options.seconds):
                        print(line, flush=True)
                except BenchError as error:
                    print(f"{contender.name}, {workload}: {error}", file=sys.stderr)
    print("\n" + machine({}))


if __name__ == "__main__":
    main()
