"""SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT and the end of a terminal, on real processes under load."""

import hashlib
import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.frontend import subscribed
from tests.support.processes import PATIENCE_S, Process, Twistd, end_daemon, free_port, said, twistd, wait_until


@contextmanager
def load(port: int) -> Iterator[None]:
    """Handshakes without a pause, one at a time, some of them refused; an error of theirs is the test's."""
    over = threading.Event()
    errors: list[Exception] = []

    def run() -> None:
        try:
            while not over.is_set():
                with connect(f"ws://127.0.0.1:{port}/") as frontend:
                    frontend.send(json.dumps({"type": "ping"}))
                    frontend.recv(timeout=PATIENCE_S)
                with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as raw:
                    raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    raw.recv(1000)
        except Exception as e:
            errors.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE_S)
    assert not errors


def closed_with(port: int, origin: str) -> int | None:
    """The code by which a page of this origin is refused; None: it is served."""
    with connect(f"ws://127.0.0.1:{port}/", additional_headers={"Origin": origin}) as page:
        try:
            page.send(json.dumps({"type": "ping"}))
            page.recv(timeout=PATIENCE_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006
    return None


def test_sighup_under_load(wheel_python: Path, tmp_path: Path) -> None:
    """Origins are those of the file from then on, connected clients get their ticks, and a bad file is one line."""
    port = free_port()
    settings = tmp_path / ".env"
    settings.write_text("TICKRELAY_ALLOWED_ORIGINS=https://a.example\n")
    env = {"TICKRELAY_LISTEN": f"tcp:{port}:interface=127.0.0.1"}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("status connected")
        with subscribed(port) as healthy, load(port):
            assert closed_with(port, "https://b.example") == 4503
            settings.write_text("TICKRELAY_ALLOWED_ORIGINS=https://b.example\nTICKRELAY_ADMIN=tcp:0\n")
            service.process.send_signal(signal.SIGHUP)
            service.wait_for(
                "settings read again: TICKRELAY_ALLOWED_ORIGINS changed; needs a restart: TICKRELAY_ADMIN\n"
            )
            assert closed_with(port, "https://b.example") is None
            assert closed_with(port, "https://a.example") == 4503
            settings.write_text("TICKRELAY_ALLOWED_ORIGINS=https://c.example\nTICKRELAY_DRAIN=soon\n")
            service.process.send_signal(signal.SIGHUP)
            service.wait_for("SIGHUP: the settings stay as they were: TICKRELAY_DRAIN in .env must be a number")
            assert closed_with(port, "https://b.example") is None
            for _ in range(20):
                service.process.send_signal(signal.SIGHUP)
            healthy.ticks_of(["EURUSD", "BTCUSD"])
        assert service.stop() in (0, -signal.SIGTERM)
        assert "Traceback" not in service.text()


def test_sighup_reads_the_tokens_at_once(wheel_python: Path, tmp_path: Path) -> None:
    """A client whose token is gone is closed with 4501; another stays."""
    port = free_port()
    tokens = tmp_path / "tokens"

    def write(*names: str) -> None:
        tokens.write_text("".join(f"{hashlib.sha256(name.encode()).hexdigest()} {name}\n" for name in names))

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    write("leaving", "staying")
    env = {"TICKRELAY_LISTEN": f"tcp:{port}:interface=127.0.0.1", "TICKRELAY_TOKENS_FILE": "tokens"}
    url = f"ws://127.0.0.1:{port}/"
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("status connected")
        with connect(url, additional_headers=bearer("leaving")) as leaving:
            with connect(url, additional_headers=bearer("staying")) as staying:
                write("staying")
                service.process.send_signal(signal.SIGHUP)
                with pytest.raises(ConnectionClosed) as closed:
                    leaving.recv(timeout=PATIENCE_S)
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 4501
                staying.send(json.dumps({"type": "ping"}))
                assert json.loads(staying.recv(timeout=PATIENCE_S))["type"] == "pong"


@pytest.mark.parametrize(
    "words",
    [
        ("tickrelay", "--simulate", "--listen", "tcp:0:interface=127.0.0.1"),
        ("ctrader-simulator", "--port", "0", "--ca-file", "ca.pem"),
    ],
    ids=["tickrelay", "ctrader-simulator"],
)
def test_signals_that_mean_nothing(wheel_python: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A line each, and the process goes on; SIGQUIT then ends it in order."""
    with Twistd(wheel_python, tmp_path, *words) as service:
        service.wait_for("starting up")
        service.process.send_signal(signal.SIGUSR1)
        service.wait_for("SIGUSR1: ignored")
        service.process.send_signal(signal.SIGUSR2)
        service.wait_for("SIGUSR2: ignored")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("settings read again" if words[0] == "tickrelay" else "SIGHUP: nothing to read again")
        assert service.stop(signal.SIGQUIT) == 0
        assert "Main loop terminated" in service.text() and "Traceback" not in service.text()


def test_signals_during_the_start(wheel_python: Path, tmp_path: Path) -> None:
    """As soon as the log has its first line; nothing is lost by it."""
    env = {"TICKRELAY_LISTEN": "tcp:0:interface=127.0.0.1"}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("starting on")
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            service.process.send_signal(number)
        service.wait_for("SIGUSR2: ignored")
        service.wait_for("settings read again: nothing changed")
        service.wait_for("status connected")
        assert "Traceback" not in service.text()


def test_several_signals_at_once(wheel_python: Path, tmp_path: Path) -> None:
    """They end the service in order, once."""
    env = {"TICKRELAY_LISTEN": "tcp:0:interface=127.0.0.1"}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("status connected")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            service.process.send_signal(number)
        assert service.ends() in (-signal.SIGTERM, -signal.SIGINT, 0)
        assert "Server Shut Down." in service.text() and "Traceback" not in service.text()


def test_a_daemon(wheel_python: Path, tmp_path: Path) -> None:
    """Relative paths of its settings count from where it was started; SIGUSR1 begins a new log file, as twistd does."""
    (tmp_path / "run").mkdir()
    settings, log = tmp_path / ".env", tmp_path / "twistd.log"
    settings.write_text("TICKRELAY_MAX_SYMBOLS_FILE=limit\n")
    (tmp_path / "limit").write_text("5")
    words = ["--rundir", "run", "tickrelay", "--simulate", "--listen", "tcp:0:interface=127.0.0.1"]
    done = twistd(wheel_python, tmp_path, *words)
    assert done.returncode == 0, done.stdout
    try:
        wait_until(lambda: "status connected" in log.read_text())
        pid = int((tmp_path / "twistd.pid").read_text())
        (tmp_path / "limit").write_text("6")
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: "settings read again: TICKRELAY_MAX_SYMBOLS changed" in log.read_text())
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: log.exists() and "SIGUSR1: a new log file begins" in log.read_text())
        assert "settings read again" in (tmp_path / "twistd.log.1").read_text()
        os.kill(pid, signal.SIGUSR2)
        wait_until(lambda: "SIGUSR2: ignored" in log.read_text())
    finally:
        end_daemon(tmp_path)
    wait_until(lambda: "Server Shut Down." in log.read_text())
    first = (tmp_path / "twistd.log.1").read_text()
    assert first.count("starting up") == 1, "nothing is logged twice, before and after the fork"
    assert "Traceback" not in first + log.read_text()


@pytest.mark.skipif(shutil.which("setsid") is None, reason="setsid is needed")
def test_a_closed_terminal_ends_what_runs_in_it(wheel_python: Path, tmp_path: Path) -> None:
    """In order; without this it would go on unseen, with the port taken."""
    master, slave = os.openpty()
    command = ["setsid", "--ctty", str(wheel_python.parent / "twistd"), "--nodaemon", "--pidfile=", "--logfile", "log"]
    words = ["tickrelay", "--simulate", "--listen", "tcp:0:interface=127.0.0.1"]
    with Process("relay", [*command, *words], tmp_path, stdin=slave) as service:
        os.close(slave)
        log = tmp_path / "log"
        wait_until(lambda: log.exists() and "status connected" in log.read_text())
        os.close(master)
        assert service.ends() == 0
        text = log.read_text()
        assert "the terminal was closed, shutting down" in text and "Server Shut Down." in text


def test_a_bad_level(wheel_python: Path, tmp_path: Path) -> None:
    """One line, before anything starts."""
    line = said(twistd(wheel_python, tmp_path, "--nodaemon", "tickrelay", "--simulate", "--log-level", "loud"))
    assert line.startswith("tickrelay: --log-level must be one of debug, info, warn, error, critical, and NAMESPACE=")
