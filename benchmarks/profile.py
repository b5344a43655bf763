"""Where the CPU time of a tick goes, from upstream's bytes to the last socket: py-spy on the real service under load.

    python -m benchmarks.profile [--workload A] [--delivered 1600000] [--seconds 5]

Prints a share and the microseconds per tick received and per write for each stage. A sample counts for the innermost
stage on its stack. Needs py-spy on the path or in the environment (``pip install py-spy``), and the right to trace.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.catalogue import CONTENDERS
from benchmarks.session import Session

STAGES = (
    ("send: the socket calls and the loop around them", ("_deliver",)),
    ("encode: a tick into its frame", ("tick (tickrelay/wire", "_new (tickrelay/wire", "wire/prices", "ticks.py")),
    ("join: blocks and cohorts", ("send (tickrelay/relay/cohort", "_touched")),
    ("flush: the rest of it", ("fanout.py",)),
    ("hub: fill forward, count, keep", ("spot (tickrelay/relay", "hub.py", "now_ms")),
    ("decode: envelope and spot", ("stringReceived",)),
    ("frames: the four-byte lengths", ("dataReceived (twisted/protocols/basic", "dataReceived (tickrelay/upstream")),
    ("TLS: decrypting records", ("protocols/tls.py", "OpenSSL/")),
    ("downstream: what clients send", ("tickrelay/downstream", "autobahn")),
    ("reactor: reading, timers, epoll", ("twisted/internet", "twisted/")),
)


def stage_of(stack: list[str]) -> str:
    """The stage of the innermost frame that has one."""
    for frame in reversed(stack):
        for stage, marks in STAGES:
            if any(mark in frame for mark in marks):
                return stage
    return "other"


def sampled(pid: int, seconds: float) -> Counter[str]:
    """Samples by stage, while the process works."""
    tool = shutil.which("py-spy") or str(Path(sys.executable).with_name("py-spy"))
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        command = [tool, "record", "--rate", "500", "--duration", f"{seconds:g}", "--pid", str(pid)]
        try:
            subprocess.run([*command, "--format", "raw", "--output", str(raw)], check=True, capture_output=True)
        except FileNotFoundError:
            sys.exit("py-spy is not installed: pip install py-spy")
        except subprocess.CalledProcessError as error:
            sys.exit(f"py-spy failed: {error.stderr.decode(errors='replace')}")
        found: Counter[str] = Counter()
        for line in raw.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            # Left out: waiting for something to happen, and the resolver's thread, which does so all the time.
            if not any(wait in stack.rpartition(";")[2] for wait in ("doPoll", "Condition.wait")):
                found[stage_of(stack.split(";"))] += int(count)
    return found


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="A")
    parser.add_argument("--delivered", type=float, default=1_600_000, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    contender = CONTENDERS["tickrelay"]
    contender.prepare()
    with Session(contender, options.workload) as session:
        session.offer(options.delivered, settle_s=1.0)
        reading = session.measure(2.0)
        samples = sampled(session.server.pid, options.seconds)
    total = samples.total()
    received = reading.rate / session.fan_out
    print(f"{reading.rate:,.0f} delivered/s of {received:,.0f} ticks/s, {reading.cpu_share:.0%} of a core, "
          f"p50 {reading.p50_ms:.2f} ms, p99 {reading.p99_ms:.2f} ms")  # fmt: skip
    print("\n| stage | share | µs per tick received |\n|---|---|---|")
    for stage, _ in (*STAGES, ("other", ())):
        share = samples[stage] / total
        if share >= 0.002:
            print(f"| {stage} | {share:.1%} | {share * reading.cpu_share / received * 1e6:.2f} |")
    print(f"| all | 100 % | {reading.cpu_share / received * 1e6:.2f} |")


if __name__ == "__main__":
    main()
