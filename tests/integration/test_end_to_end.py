"""The relay as a process against the simulator as another, over TLS, with a client that is not ours."""

import re
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
        with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env={"WS_PORT": str(port)}) as service:
            assert service.ends() == 1
            assert f"tickrelay: cannot listen on port {port}" in service.text()
            assert "WS_PORT" in service.text()
            assert "Traceback" not in service.text()
            assert "connecting" not in service.text()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "tickrelay: CTRADER_CLIENT_ID, CTRADER_CLIENT_SECRET, "),
        ({"CTRADER_CLIENT_ID": "a", "CTRADER_CLIENT_SECRET_FILE": "nowhere"}, "nowhere does not exist"),
        ({"WS_PORT": "high"}, "WS_PORT"),
        ({"CTRADER_CA_FILE": "nowhere.pem"}, "CTRADER_CA_FILE"),
    ],
)
def test_a_bad_setting_ends_the_start(wheel_python: Path, tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """One line that names the setting, exit status 1, no traceback."""
    whole = dict.fromkeys(("CTRADER_CLIENT_ID", "CTRADER_CLIENT_SECRET", "CTRADER_ACCESS_TOKEN"), "x")
    account = {**whole, "CTRADER_ACCOUNT_ID": "1"} if "PORT" in said or "CA_FILE" in said else {}
    with Twistd(
        wheel_python, tmp_path, "tickrelay", env={"WS_PORT": str(free_port()), **account, **environ}
    ) as service:
        assert service.ends() == 1
        assert said in service.text()
        assert "Traceback" not in service.text()


def test_check_says_step_by_step_what_is_wrong(wheel_python: Path, tmp_path: Path) -> None:
    """All well: a line a step and 0. A wrong token: the step, the setting to mend, and 1."""
    with Twistd(
        wheel_python, tmp_path, "tickrelay", "--simulate", "--check", "--listen", "tcp:0:interface=127.0.0.1"
    ) as check:
        assert check.ends() == 0
        steps = [line.split()[:2] for line in check.text().splitlines()]
        named = ["start", "DNS", "TLS", "application", "account", "scope", "symbols", "first"]
        assert [step for _, step in steps] == named
        assert {state for state, _ in steps} == {"ok"}
        assert "may trade" not in check.text()
    port = free_port()
    with simulator(wheel_python, tmp_path, port):
        with relay(wheel_python, tmp_path, port, free_port(), "--check", CTRADER_ACCESS_TOKEN="canary") as check:
            assert check.ends() == 1
            assert re.search("FAILED +account .*CTRADER_ACCESS_TOKEN", check.text())
            assert "canary" not in check.text()


def test_a_daemon_that_cannot_start_says_so(wheel_python: Path, tmp_path: Path) -> None:
    """Without --nodaemon too the command ends with exit status 1 and the reason."""
    with taken_port() as port:
        words = ["--pidfile", "daemon.pid", "--logfile", "daemon.log", "tickrelay", "--simulate"]
        done = twistd(wheel_python, tmp_path, *words, WS_PORT=str(port))
    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stdout
