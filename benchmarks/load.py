"""The load generator as a process: a fleet of clients that does what standard input says, one JSON line for each.

    python -m benchmarks.load --port 8080 --workload A [--dialect basic]

    connect          opens and subscribes every client
    measure SECONDS  counts ticks and samples their ages
    stall CLIENTS    so many clients stop reading
    resume SECONDS   they read again, and what they get is examined
    churn CHANGES    clients change their lists, so many changes a second
    leave            every client closes its connection

Between commands it goes on reading, so that nothing piles up. It ends when standard input closes.
"""

import argparse
import json
import os
import resource
import select
from collections.abc import Iterator

from benchmarks.catchup import examine
from benchmarks.dialects import DIALECTS
from benchmarks.fleet import Fleet, FleetError
from benchmarks.workloads import WORKLOADS

IDLE_S = 0.02


def say(**fields: object) -> None:
    """One answer."""
    print(json.dumps(fields), flush=True)


def commands(fleet: Fleet) -> Iterator[list[str]]:
    """What standard input says, word by word; the fleet is kept reading meanwhile."""
    while True:
        if not select.select([0], [], [], 0)[0]:
            fleet.pump(IDLE_S)
            continue
        text = os.read(0, 4096).decode()
        if not text:
            return
        for line in text.splitlines():
            yield line.split()


def measure(fleet: Fleet, seconds: float) -> None:
    """Count for so long and say what was seen."""
    seen = fleet.pump(seconds)
    p50, p99, worst = seen.percentiles(0.5, 0.99, 1.0)
    say(
        rate=seen.ticks / seen.seconds,
        p50_ms=p50,
        p99_ms=p99,
        max_ms=worst,
        mbytes=seen.octets / seen.seconds / 1e6,
        reads=seen.reads / seen.seconds,
        busy=seen.busy,
        closed=fleet.closed,
    )


def run(fleet: Fleet) -> None:
    """Carry out commands until there are no more."""
    for words in commands(fleet):
        match words:
            case ["connect"]:
                say(handshakes_s=fleet.connect(), subscribes_s=fleet.subscribe())
            case ["measure", seconds]:
                measure(fleet, float(seconds))
            case ["stall", clients]:
                fleet.stall(int(clients))
                say(stalled=int(clients))
            case ["churn", changes]:
                fleet.churn(float(changes))
                say(churning=True)
            case ["leave"]:
                fleet.leave()
                say(left=True)
            case ["resume", seconds]:
                say(**examine(fleet.resume(float(seconds))))
            case _:
                say(error=f"unknown command {words}")


def main() -> None:
    """Parse the command line, make the fleet, obey."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workload", choices=WORKLOADS, default="A")
    parser.add_argument("--dialect", choices=DIALECTS, default="basic")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fleet = Fleet(options.port, DIALECTS[options.dialect], WORKLOADS[options.workload].subscriptions())
    try:
        run(fleet)
    except FleetError as error:
        say(error=str(error))
    finally:
        fleet.leave()


if __name__ == "__main__":
    main()
