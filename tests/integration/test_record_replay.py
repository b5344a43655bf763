"""What the relay recorded is played back by the simulator, and gives the same ticks; a kill costs little."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.support.processes import PATIENCE_S, free_port, relay, simulator
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent
from tickrelay.recording.player import records

SYMBOLS = ["EURUSD", "XAUUSD", "BTCUSD", "USDJPY"]
PYTHON = Path(sys.executable)

Tick = tuple[str, float, float]


def ticks(ws_port: int, seconds: float) -> list[Tick]:
    """What a client of the relay sees in some time after its first tick."""
    found: list[Tick] = []
    with connect(f"ws://127.0.0.1:{ws_port}/", open_timeout=PATIENCE_S) as client:
        client.send(json.dumps({"type": "connect"}))
        client.send(json.dumps({"type": "subscribe", "symbols": SYMBOLS}))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                message: dict[str, Any] = json.loads(client.recv(timeout=0.2))
            except TimeoutError:
                continue
            if message["type"] == "tick":
                if not found:
                    deadline = time.monotonic() + seconds
                found.append((message["symbol"], message["bid"], message["ask"]))
    return found


def test_a_recording_that_was_killed_is_played_back(tmp_path: Path) -> None:
    """kill -9 in the middle; what had been recorded until then is played, tick for tick."""
    recording = tmp_path / "recording"
    port, ws_port = free_port(), free_port()
    with simulator(PYTHON, tmp_path, port, "--rate", "3"):
        with relay(PYTHON, tmp_path, port, ws_port, "--record", str(recording)) as service:
            service.wait_for("status connected")
            seen = ticks(ws_port, 5)
            time.sleep(0.5)
            service.kill()
    assert len(seen) > 40
    assert len([r for r in records(recording) if r.type_name == "ProtoOASpotEvent"]) >= len(seen)
    assert all(
        ProtoOASpotEvent.FromString(frames.open_envelope(r.frame).payload).symbolId
        for r in records(recording)
        if r.frame is not None and r.type_name == "ProtoOASpotEvent"
    )
    text = b"".join(path.read_bytes() for path in recording.iterdir())
    assert b"sim-token" not in text and b"sim-secret" not in text

    port, ws_port = free_port(), free_port()
    with simulator(PYTHON, tmp_path, port, "--replay", str(recording), "--speed", "10"):
        with relay(PYTHON, tmp_path, port, ws_port) as service:
            service.wait_for("status connected")
            played = ticks(ws_port, 3)
    for symbol in SYMBOLS:
        own_seen = [tick for tick in seen if tick[0] == symbol]
        own_played = [tick for tick in played if tick[0] == symbol]
        assert own_played[: len(own_seen)] == own_seen
