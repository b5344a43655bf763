"""Signals: the first stops the relay in order, the next ones make it quicker, and none of them leaves a traceback."""

import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.processes import Twistd, free_port


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_shortens_the_drain(wheel_python: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A drain of seconds is over at once, every client closed with 1012; more signals do nothing."""
    port, clients = free_port(), 90
    env = {"TICKRELAY_LISTEN": f"tcp:{port}:interface=127.0.0.1", "TICKRELAY_DRAIN": "300"}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service, ExitStack() as stack:
        service.wait_for("status connected")
        # So many are closed over 0.9 s; one that never answers a close frame would hold the end up for a second more.
        several = [stack.enter_context(connect(f"ws://127.0.0.1:{port}/")) for _ in range(clients)]
        several[0].send(json.dumps({"type": "connect"}))
        assert json.loads(several[0].recv(timeout=5))["type"] == "status"
        service.process.send_signal(number)
        service.wait_for("Received SIG")
        begun = time.monotonic()
        for _ in range(3):
            service.process.send_signal(number)
        for client in several:
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    client.recv(timeout=5)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
        assert service.ends() in (0, -number)
        assert time.monotonic() - begun < 10
        assert "Traceback" not in service.text()
        assert "ReactorNotRunning" not in service.text()
