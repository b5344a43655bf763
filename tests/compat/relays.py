"""The relays that recorded conversations are held with: real processes, each with a simulated broker."""

import hashlib
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.compat.client import Client
from tests.support.processes import Twistd, relay, simulator

TOKEN = "compat-token"


@dataclass(frozen=True)
class Relay:
    """Where clients connect, and what a conversation may do to it."""

    url: str
    order: Callable[[str], None]
    stop: Callable[[], None]


def _wait_for_ticks(url: str) -> None:
    """Return when the relay is live and has a newest tick of what conversations ask snapshots of."""
    deadline = time.monotonic() + 20
    client = Client(url, ["tickrelay.v1.json"], {"Authorization": f"Bearer {TOKEN}"})
    client.send({"type": "connect", "protocol": 1})
    client.send({"type": "subscribe", "symbols": ["EURUSD", "XAUUSD"]})
    missing, state = {"EURUSD", "XAUUSD"}, ""
    while missing or state != "live":
        message = client.receive(deadline - time.monotonic())
        if message["type"] == "status":
            state = message["feed"]["state"]
        elif message["type"] == "tick":
            missing.discard(message["symbol"])
            client.send({"type": "connect", "protocol": 1})
    client.leave()


@contextmanager
def relays(folder: Path) -> Iterator[dict[str, Relay]]:
    """``plain``, as it comes; ``tokens``, which wants one; ``narrow``, with a list of origins and 3 clients an address;
    ``own``, with a broker that can be ordered faults, for one conversation alone. Ready to serve.
    """
    python = Path(sys.executable)
    (folder / "tokens").write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + " compat\n")
    env: dict[str, dict[str, str]] = {
        "plain": {},
        "tokens": {"TICKRELAY_TOKENS_FILE": "tokens"},
        "narrow": {
            "TICKRELAY_ALLOWED_ORIGINS": "https://good.example",
            "TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS": "3",
        },
    }
    with ExitStack() as stack:
        # Port 0 throughout: where several processes start at once, a port that was free may be taken by then.
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        simulated = (*listen, "--simulate", "--simulate-rate", "5")
        processes = {
            name: stack.enter_context(Twistd(python, folder, "tickrelay", *simulated, env=more))
            for name, more in env.items()
        }
        broker = stack.enter_context(simulator(python, folder, 0, "--rate", "5", "--control", "0"))
        broker_port = int(broker.wait_for(r"cTrader simulator on \S+:(\d+) ")[1])
        control = broker.wait_for(r"control endpoint: (http://\S+)")[1]
        processes["own"] = stack.enter_context(relay(python, folder, broker_port, 0, *listen))
        urls = {name: process.wait_for(r"clients connect to (ws://\S+)")[1] for name, process in processes.items()}
        for name, process in processes.items():
            process.wait_for("status connected")
            _wait_for_ticks(urls[name])

        def order(statement: str) -> None:
            urllib.request.urlopen(control, data=statement.encode(), timeout=5).close()

        yield {
            name: Relay(urls[name], order, lambda p=process.process: p.send_signal(signal.SIGTERM))
            for name, process in processes.items()
        }
        for process in processes.values():
            assert "Traceback" not in process.text()
