"""The relay as a process, under a server that follows a hostile script."""

import json
from pathlib import Path

from websockets.sync.client import connect

from tests.support.hostile_broker import Await, HostileBroker, Script, quote
from tests.support.processes import free_port, relay


def test_the_server_itself_serves(wheel_python: Path, tmp_path: Path) -> None:
    """Without a step that harms, a client of the relay gets the quotes that the test knows."""
    ws_port = free_port()
    with HostileBroker(tmp_path, Script([Await("go")])) as broker:
        with relay(wheel_python, tmp_path, broker.port, ws_port) as service:
            service.wait_for("status connected")
            with connect(f"ws://127.0.0.1:{ws_port}/") as client:
                client.send(json.dumps({"type": "connect"}))
                client.send(json.dumps({"type": "subscribe", "symbols": ["EURUSD"]}))
                ticks = []
                while len(ticks) < 3:
                    message = json.loads(client.recv(timeout=60))
                    if message["type"] == "tick":
                        ticks.append((round(message["bid"] * 100_000), round(message["ask"] * 100_000)))
                broker.release("go")
                broker.done()
    known = [quote(1, number) for number in range(1, 1001)]
    first = known.index(ticks[0])
    assert ticks == known[first : first + 3]
