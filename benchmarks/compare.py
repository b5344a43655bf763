"""The parts of two checkouts side by side: what a change costs, in one run.

    python -m benchmarks.compare OTHER_CHECKOUT [--launches 20] [--pairs 20] [--core 1]

Two processes, one in each checkout and both on one core, go through ``parts.py`` in step. Each part is run by the one
and by the other in turns of 20 ms, so that whatever else the machine does meets both alike; the median of these pairs
is one observation. Where memory happens to lie makes a process a few percent faster or slower for its whole life, so
the pair of processes is launched anew many times. Printed are the ratio (this checkout's time by the other's) and its
95 % interval over the launches.
"""

import argparse
import io
import json
import math
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

TURN_S = 0.02

T_95 = {4: 2.78, 9: 2.26, 14: 2.14, 19: 2.09, 29: 2.05}
"""Student's t for a two-sided 95 % interval, by degrees of freedom; between them the next smaller one."""


class Side:
    """A process in one checkout that runs its parts, a turn for each message from here."""

    def __init__(self, checkout: Path, core: int) -> None:
        # By its path: the other checkout need not have this module. All else is imported from the working directory.
        code = f"import runpy; runpy.run_path({str(Path(__file__).resolve())!r})['serve']()"
        command = ["taskset", "-c", str(core), sys.executable, "-c", code]
        self._process = subprocess.Popen(
            command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in: IO[str] = self._process.stdin
        self._out: IO[str] = self._process.stdout

    def receive(self) -> Any:
        """The process' next message; None: it has ended."""
        line = self._out.readline()
        return json.loads(line) if line else None

    def send(self, number: int) -> None:
        """Let it run the present part so many times; 0: go on to the next part."""
        print(json.dumps(number), file=self._in, flush=True)

    def time(self, number: int) -> float:
        """Seconds for *number* calls of the present part."""
        self.send(number)
        return float(self.receive())

    def end(self) -> None:
        """Wait for its end."""
        self._in.close()
        self._process.wait()


def serve() -> None:
    """In the process of a `Side`: run the parts of the working directory's checkout, a turn for each number."""
    from benchmarks import parts

    replies = sys.stdout
    sys.stdout = io.StringIO()  # for what parts.main prints
    seen: list[Callable[[], object]] = []
    found: dict[str, float] = {}

    def turns(call: Callable[[], object], units: int = 1) -> float:
        timer = timeit.Timer(call, timer=time.process_time)  # not the time in which the core was somebody else's
        number = max(1, int(TURN_S / max(timer.timeit(3) / 3, 1e-9)))
        number = max(1, int(TURN_S / max(timer.timeit(number) / number, 1e-9)))
        print(json.dumps(number), file=replies, flush=True)
        while number := json.loads(sys.stdin.readline()):
            print(json.dumps(timer.timeit(number)), file=replies, flush=True)
        seen.append(call)
        return float(len(seen) - 1)

    parts.cost_us = turns
    for name in ("decode", "encoding", "publish", "flush"):
        original = getattr(parts, name)

        def noted(*args: Any, original: Any = original) -> dict[str, float]:
            figures: dict[str, float] = original(*args)
            found.update(figures)
            return figures

        setattr(parts, name, noted)
    parts.main()
    print(json.dumps({name: int(number) for name, number in found.items()}), file=replies, flush=True)


def launch(checkouts: tuple[Path, Path], core: int, pairs: int) -> dict[str, float]:
    """One pair of processes through all parts: the logarithm of the ratio of each."""
    sides = [Side(checkout, core) for checkout in checkouts]
    ratios: list[float] = []
    while True:
        messages = [side.receive() for side in sides]
        if any(message is None for message in messages):
            raise SystemExit("one of the checkouts failed: see above")
        if any(isinstance(message, dict) for message in messages):
            break
        number = min(messages)
        logs = []
        for i in range(pairs):
            order = (0, 1) if i % 2 else (1, 0)
            took = {which: sides[which].time(number) for which in order}
            logs.append(math.log(took[1] / took[0]))
        ratios.append(statistics.median(logs))
        for side in sides:
            side.send(0)
    for side in sides:
        side.end()
    if messages[0] != messages[1]:
        raise SystemExit("the checkouts measure different parts")
    return {name: ratios[number] for name, number in messages[1].items()}


def interval(logs: list[float]) -> tuple[float, float, float]:
    """The ratio and its 95 % interval."""
    mean = statistics.mean(logs)
    t = next((t for freedom, t in sorted(T_95.items(), reverse=True) if freedom <= len(logs) - 1), 12.7)
    half = t * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="checkout to compare with")
    parser.add_argument("--launches", type=int, default=20, help="pairs of processes, at least 2")
    parser.add_argument("--pairs", type=int, default=20, help="turns of each part in each launch")
    parser.add_argument("--core", type=int, default=1, help="core that both run on")
    options = parser.parse_args()
    if options.launches < 2 or options.pairs < 1:
        parser.error("an interval needs two launches or more, a launch one pair or more")
    here = Path(__file__).resolve().parent.parent
    logs: dict[str, list[float]] = {}
    for number in range(options.launches):
        for name, log in launch((options.other.resolve(), here), options.core, options.pairs).items():
            logs.setdefault(name, []).append(log)
        print(f"launch {number + 1} of {options.launches}", file=sys.stderr, flush=True)
    print("| part | this checkout's time by the other's | 95 % interval |\n|---|---|---|")
    for name, found in logs.items():
        ratio, low, high = interval(found)
        print(f"| {name} | {ratio:.3f} | {low:.3f} to {high:.3f} |")


if __name__ == "__main__":
    main()
