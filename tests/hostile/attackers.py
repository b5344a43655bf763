"""Makes one attack with many connections, of one address or several, for some seconds; a process of its own.

::

    python -m tests.hostile.attackers names --port 8080 --connections 100 --addresses 1 --seconds 10

Prints ``DONE {…}`` with what it did: an attack that could do nothing has proved nothing.
"""

import argparse
import asyncio
import json
import os
import time
from collections import Counter

from tests.hostile.attacks import ATTACKS, Attack
from tests.hostile.innocent import Target
from tests.hostile.line import Line

RETRY_S = 0.05
"""After a connection that the relay refused or cut off at once."""


async def _attack(attack: Attack, target: Target, address: str, until_s: float, counts: Counter[str]) -> None:
    while time.monotonic() < until_s:
        line = Line(target, address, attack.narrow)
        try:
            await line.connect()
            counts["connections"] += 1
            async with asyncio.timeout_at(until_s):
                await attack.run(line)
            counts["rounds"] += 1
        except TimeoutError:
            counts["held"] += 1
        except OSError:
            counts["ended"] += 1
            await asyncio.sleep(RETRY_S)
        finally:
            counts["bytes"] += line.sent_bytes
            await line.close()


async def run(attack: Attack, target: Target, connections: int, addresses: int, seconds: float) -> Counter[str]:
    """Attack; returns what was done."""
    counts: Counter[str] = Counter()
    until_s = time.monotonic() + seconds
    lines = [
        _attack(attack, target, f"127.2.0.{1 + number % addresses}", until_s, counts) for number in range(connections)
    ]
    await asyncio.gather(*lines)
    return counts


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attack", choices=list(ATTACKS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--addresses", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--authority", default="")
    options = parser.parse_args()
    attack = ATTACKS[options.attack]
    token = os.environ.get("INNOCENT_TOKEN", "") if attack.token else ""
    os.nice(10)  # the innocents share the core, and measure
    target = Target(options.port, options.authority, token)
    counts = asyncio.run(run(attack, target, options.connections, options.addresses, options.seconds))
    print("DONE " + json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
