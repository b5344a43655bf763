"""A relay in trouble: seeded faults of the broker, restless clients under the checker, attackers in small doses.

::

    python -m tests.hostile.chaos --seconds 60 --seed 1        # an hour: --seconds 3600

Prints what happened, and what of it was wrong: an exit status of 1. Descriptors are counted before the first client and
after the last, with a line for each that is left.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.attacks import ATTACKS
from tests.hostile.rig import PYTHON, Inside, Worker, cores, settled
from tests.support.processes import Twistd, free_port, relay, simulator

SYMBOLS = "EURUSD,GBPUSD,USDJPY,XAUUSD,BTCUSD,ETHUSD,US500,DE40"

FAULTS = (
    *("drop", "reset", "half-open", "garbage", "garbage-spot", "overlong", "empty-frame", "unknown-type"),
    *("account-disconnect", "client-disconnect", "token-invalidated", "symbol-changed", "symbol-changed EURUSD 3"),
    *("symbol-changed EURUSD 5", "deaf for 3s", "silent-ticks for 4s", "silent-ticks for 12s", "slow 1s for 5s"),
    *("late 2s for 5s", "reorder for 5s", "no-timestamps for 5s", "hang account-auth for 5s", "hang subscribe for 5s"),
    *(
        "rate-limit subscribe 1s for 4s",
        "maintenance 3s for 3s",
        "maintenance 3s ms for 3s",
        "burst 20 for 2s",
        "burst 100 for 1s",
    ),
    *("markets-closed for 4s", "markets-closed unannounced for 4s", "no-connections for 3s", "slow-close 2s for 6s"),
    *("refuse symbols CH_SERVER_NOT_REACHABLE later for 3s", "refuse subscribe SYMBOL_NOT_FOUND no for 3s"),
)
"""Whatever lasts ends by itself."""

FAULT_EVERY_S = (1.0, 5.0)
ATTACK_EVERY_S = (4.0, 10.0)
DOSE_S = 2.0
QUIET_S = 6.0
"""Before the end no fault begins: the last one shall be over."""

SETTLE_S = 25.0
"""The relay notices within a ping's interval that a client is gone of which it still has much to read."""

RSS_MIB = 2.0
"""What the peak of the second half may be above that of the first, in runs of `STEADY_S` and more."""

STEADY_S = 1_800.0
WARMING_MIB = 15.0
"""The same in shorter runs, which end before all that is bounded has reached its bound."""

SETTINGS = {
    "TICKRELAY_RETRY_LEAST": "0.1",
    "TICKRELAY_RETRY_MOST": "1",
    "TICKRELAY_REFUSED_LEAST": "1",
    "TICKRELAY_REFUSED_MOST": "2",
    "TICKRELAY_DATA_SILENCE": "5",
    "TICKRELAY_LINK_SILENCE": "30",
    "TICKRELAY_REQUEST_TIMEOUT": "2",
    "TICKRELAY_UNSUBSCRIBE_LINGER": "5",
    "TICKRELAY_STUCK_TIMEOUT": "5",
}
"""Short waits: more happens in a minute."""


@dataclass
class Outcome:
    """What was seen."""

    report: dict[str, Any]
    tracebacks: int
    rss_mib: list[float]
    """The peaks of the two halves."""
    descriptors: tuple[int, int]
    left: list[str]
    """Descriptors at the end that were not there in the beginning."""
    settled_s: float
    """How long after the clients had left the descriptors were counted."""
    seconds: float
    done: list[str] = field(default_factory=list)
    """Faults and attacks, in their order."""

    def wrong(self) -> list[str]:
        """What is beyond its bound."""
        report, found = self.report, []
        for what in ("jumps unexplained", "other faults"):
            if report[what]:
                found.append(f"{report[what]} {what}: {report['shown']}")
        if not report["counts"].get("ticks"):
            found.append("no ticks")
        if self.tracebacks:
            found.append(f"{self.tracebacks} tracebacks in the relay's log")
        growth, bound = self.rss_mib[1] - self.rss_mib[0], RSS_MIB if self.seconds >= STEADY_S else WARMING_MIB
        if growth > bound:
            found.append(f"peak memory of the second half {growth:.1f} MiB over that of the first, not {bound} MiB")
        if self.descriptors[1] > self.descriptors[0]:
            found.append(f"descriptors {self.descriptors[0]} -> {self.descriptors[1]}: {self.left}")
        return found


class Trouble:
    """Orders faults, and starts attackers."""

    def __init__(self, folder: Path, control: int, port: int, seed: int, attacks: list[str]) -> None:
        self._random = random.Random(seed)
        self._url = f"http://127.0.0.1:{control}/faults"
        self._folder, self._port, self._attacks = folder, port, attacks
        self._attackers: list[Worker] = []
        self.done: list[str] = []

    def fault(self) -> float:
        """Order one; returns seconds until the next."""
        fault = self._random.choice(FAULTS)
        self.done.append(fault)
        with urllib.request.urlopen(urllib.request.Request(self._url, fault.encode()), timeout=30) as answer:
            assert "done" in json.load(answer), fault
        return self._random.uniform(*FAULT_EVERY_S)

    def attack(self) -> float:
        """Begin one; returns seconds until the next."""
        self.reap()
        name, connections = self._random.choice(self._attacks), self._random.choice([1, 3, 10])
        self.done.append(f"{name} by {connections}")
        options = ["--port", self._port, "--connections", connections, "--seconds", DOSE_S]
        self._attackers.append(Worker("attackers", self._folder, name, *options))
        return self._random.uniform(*ATTACK_EVERY_S)

    def reap(self) -> None:
        """Wait for the attackers, which end by themselves."""
        while self._attackers:
            with self._attackers.pop() as worker:
                worker.answer("DONE")
            worker.output.unlink()


def run(folder: Path, seconds: float, seed: int, clients: int = 30, attacks: list[str] | None = None) -> Outcome:
    """Make the trouble, and measure."""
    if attacks is None:
        attacks = [name for name, attack in ATTACKS.items() if attack.stage == "plain"]
    with ExitStack() as stack:
        broker_port, port = free_port(), free_port()
        options = ["--control", "0", "--seed", str(seed), "--rate", "2"]
        broker = stack.enter_context(simulator(PYTHON, folder, broker_port, *options))
        control = int(broker.wait_for(r"control endpoint: http://127\.0\.0\.1:(\d+)/faults")[1])
        service = stack.enter_context(relay(PYTHON, folder, broker_port, port, **SETTINGS))
        _pin(broker, service)
        service.wait_for("status connected")
        inside = Inside(service.process.pid)
        time.sleep(1.0)
        kinds = inside.kinds()
        innocents = stack.enter_context(
            Worker("chaos_clients", folder, "--port", port, "--clients", clients, "--seed", seed, "--symbols", SYMBOLS)
        )
        innocents.wait_for("READY")
        trouble = Trouble(folder, control, port, seed, attacks)
        peaks = [0.0, 0.0]
        began_s = time.monotonic()
        fault_s, attack_s = began_s + 3.0, began_s + 5.0 if attacks else float("inf")
        while (now := time.monotonic()) < began_s + seconds:
            half = int(now > began_s + seconds / 2)
            peaks[half] = max(peaks[half], inside.rss_mib())
            if now < began_s + seconds - QUIET_S:
                if now > fault_s:
                    fault_s = now + trouble.fault()
                if now > attack_s:
                    attack_s = now + trouble.attack()
            time.sleep(0.1)
        trouble.reap()
        report = innocents.report()
        innocents.order("leave")
        left_s = time.monotonic()
        settled(inside.descriptors, len(kinds), SETTLE_S)
        settled_s = time.monotonic() - left_s
        after = inside.kinds()
        known = {line.partition(": ")[2] for line in kinds}
        left = [line for line in after if line.partition(": ")[2] not in known]
        return Outcome(
            report=report,
            tracebacks=service.text().count("Traceback"),
            rss_mib=peaks,
            descriptors=(len(kinds), len(after)),
            left=left,
            settled_s=settled_s,
            seconds=seconds,
            done=trouble.done,
        )


def _pin(broker: Twistd, service: Twistd) -> None:
    mine, others = cores()
    os.sched_setaffinity(service.process.pid, {mine})
    os.sched_setaffinity(broker.process.pid, {others})


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--attacks", help="which, between commas; empty: none")
    parser.add_argument("--keep", type=Path, help="an empty directory for what the processes print")
    options = parser.parse_args()
    attacks = None if options.attacks is None else [name for name in options.attacks.split(",") if name]
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outcome = run(folder, options.seconds, options.seed, options.clients, attacks)
    print(f"{len(outcome.done)} faults and attacks: {', '.join(outcome.done)}")
    for key, value in outcome.report.items():
        print(f"{key}: {value}")
    print(f"tracebacks: {outcome.tracebacks}")
    print("peak memory of the halves: {:.1f} and {:.1f} MiB".format(*outcome.rss_mib))
    print("descriptors: {} before the clients, {}".format(*outcome.descriptors), end="")
    print(f" {outcome.settled_s:.1f} s after they had left")
    for line in outcome.left:
        print(f"  {line}")
    wrong = outcome.wrong()
    print("\n".join(f"WRONG: {line}" for line in wrong) or "all within bounds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
