"""The relay as a process against the simulator as another, over TLS, with a client that is not ours."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.frontend import SYMBOLS, subscribed
from tests.support.processes import Twistd, free_port, relay, simulator, taken_port, twistd
from tickrelay.service import STOP_TIMEOUT_S


def test_a_killed_broker_comes_back_and_clients_do_nothing(wheel_python: Path, tmp_path: Path) -> None:
    """Statuses in sequence, and ticks of every symbol again, for a client that only listens."""
    port, ws_port = free_port(), free_port()
    with ExitStack() as stack:
        broker = stack.enter_context(simulator(wheel_python, tmp_path, port))
        service = stack.enter_context(relay(wheel_python, tmp_path, port, ws_port))
        service.wait_for("status connected")
        frontend = stack.enter_context(subscribed(ws_port))
        broker.kill()
        heard = frontend.until(lambda m: m.get("status") == "ctrader-connecting")
        assert [m["status"] for m in heard if m["type"] == "status"] == ["disconnected", "ctrader-connecting"]
        stack.enter_context(simulator(wheel_python, tmp_path, port))
        heard = frontend.ticks_of(SYMBOLS)
        assert [m["status"] for m in heard if m["type"] == "status"] == ["connected"]
        assert {m["type"] for m in heard} == {"status", "tick"}


def test_stopping_closes_clients_in_order(wheel_python: Path, tmp_path: Path) -> None:
    """Ctrl-C: a proper close frame for every client, the end within seconds, no traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        ws_port = free_port()
        with ExitStack() as stack:
            service = stack.enter_context(
                Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env={"WS_PORT": str(ws_port)})
            )
            service.wait_for("status connected")
            frontends = [stack.enter_context(subscribed(ws_port)) for _ in range(3)]
            begun = time.monotonic()
            service.process.send_signal(number)
            for frontend in frontends:
                with pytest.raises(ConnectionClosed) as closed:
                    frontend.until(lambda m: False)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012
            service.ends()
            assert time.monotonic() - begun < STOP_TIMEOUT_S - 10, "the deadline of the stop is for what hangs"
            assert "Traceback" not in service.text()


def test_the_port_is_taken(wheel_python: Path, tmp_path: Path) -> None:
    """One line that names the port and what to do, exit status 1, no traceback, nothing connected."""
    with taken_port() as port:
        words = ["--pidfile", "daemon.pid", "--logfile", "daemon.log", "tickrelay", "--simulate"]
        done = twistd(wheel_python, tmp_path, *words, WS_PORT=str(port))
    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stdout
