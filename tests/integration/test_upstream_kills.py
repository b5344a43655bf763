"""Upstream killed over and over, with real processes: each time everything comes back, and memory stays flat.

The simulator is ended with SIGKILL at a random moment (live, or still on the way) and started again, with another
certificate authority each time. By default 12 kills; ``UPSTREAM_KILLS=200`` in the environment runs the whole series
and prints its figures.
"""

import json
import os
import random
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import Twistd, free_port, relay, simulator

KILLS = int(os.environ.get("UPSTREAM_KILLS", "12"))
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "BTCUSD")


def memory_kib(process: Twistd) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def drain(client: ClientConnection, seconds: float) -> None:
    """Read what comes for a while."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            client.recv(timeout=left)
        except TimeoutError:
            return


def recovery_s(client: ClientConnection, timeout_s: float = 60.0) -> float:
    """How long until the status is connected again and every symbol has ticked since."""
    begun = time.monotonic()
    missing: set[str] = set(SYMBOLS)
    while missing:
        message = json.loads(client.recv(timeout=max(0.01, begun + timeout_s - time.monotonic())))
        if message["type"] == "status" and message["status"] != "connected":
            missing = set(SYMBOLS)
        elif message["type"] == "tick":
            missing.discard(message["symbol"])
    return time.monotonic() - begun


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc for the memory of processes")
def test_upstream_killed_over_and_over(wheel_python: Path, tmp_path: Path) -> None:
    """Each kill is followed by full recovery without the client doing anything; memory is flat after the first ones."""
    rng = random.Random(3)
    port, ws_port = free_port(), free_port()
    took: list[float] = []
    memory: list[int] = []
    with ExitStack() as stack:
        broker = stack.enter_context(simulator(wheel_python, tmp_path, port, "--rate", "10"))
        # A try a second at least: what is measured is recovery, not the patience that the default waits show.
        service = stack.enter_context(relay(wheel_python, tmp_path, port, ws_port, TICKRELAY_RETRY_MOST="1"))
        service.wait_for("status connected")
        client = stack.enter_context(connect(f"ws://127.0.0.1:{ws_port}/", max_size=2**24))
        client.send('{"type":"connect"}')
        client.send(json.dumps({"type": "subscribe", "symbols": SYMBOLS}))
        recovery_s(client)
        for _ in range(KILLS):
            drain(client, rng.choice((0, 0.005, 0.02, 0.1, 0.5)))
            broker.kill()
            # Now and then it is killed on the way up as well.
            for _ in range(rng.choice((1, 1, 1, 2))):
                broker.kill()
                broker.__exit__(None, None, None)
                broker = stack.enter_context(simulator(wheel_python, tmp_path, port, "--rate", "10"))
                time.sleep(rng.choice((0, 0.01, 0.05)))
            took.append(recovery_s(client))
            memory.append(memory_kib(service))
        output = service.text()
    assert "Traceback" not in output and "Unhandled" not in output
    settled = len(memory) // 4
    print(
        f"{KILLS} kills: recovery {statistics.median(took):.2f} s median, {max(took):.2f} s most; "
        f"memory {memory[settled]} KiB after a quarter, {memory[-1]} KiB at the end"
    )
    assert max(took) < 10
    assert memory[-1] - memory[settled] < 5 * 1024
