"""The log of a real process: whatever becomes of where it is written, clients are served."""

import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.support.frontend import subscribed
from tests.support.processes import PATIENCE_S, Process, Twistd, free_port, wait_until

F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)


def relay(python: Path, folder: Path, port: int, stdout: int, **env: str) -> Process:
    """The relay with a simulated broker, in the foreground, with this standard output."""
    command = [str(python.parent / "twistd"), "--nodaemon", "--pidfile=", "tickrelay", "--simulate"]
    listen = {"TICKRELAY_LISTEN": f"tcp:{port}:interface=127.0.0.1", "TICKRELAY_LOG_LEVEL": "debug"}
    return Process("tickrelay", command, folder, {**listen, **env}, stdout=stdout)


@contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe that holds all it can; its write end blocks, as a shell makes it."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, F_SETPIPE_SZ, 65_536)
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def client(port: int) -> ClientConnection:
    """Connect, once the relay listens."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return connect(f"ws://127.0.0.1:{port}/")
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def ping_s(frontend: ClientConnection) -> float:
    """Seconds from a ping to its pong."""
    begun = time.monotonic()
    frontend.send(json.dumps({"type": "ping"}))
    while json.loads(frontend.recv(timeout=PATIENCE_S))["type"] != "pong":
        pass
    return time.monotonic() - begun


def refused_handshakes(port: int, count: int) -> None:
    """Connections whose opening request is none, one after the other."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: nonsense\r\n\r\n")
            raw.recv(1000)


def test_a_pipe_that_nobody_reads_stops_nothing(wheel_python: Path, tmp_path: Path) -> None:
    """Full from the start on, at level debug, and 1,000 handshakes refused: pings are answered within a second.

    SIGTERM ends the relay in order. What nobody read is still there for whoever reads it later.
    """
    port = free_port()
    with full_pipe() as (reader, writer), relay(wheel_python, tmp_path, port, writer) as service:
        with client(port) as frontend:
            for _ in range(10):
                refused_handshakes(port, 100)
                assert ping_s(frontend) < 1.0
            os.set_blocking(reader, False)
            text = b""

            def told() -> bool:
                nonlocal text
                try:
                    text += os.read(reader, 100_000)
                except BlockingIOError:
                    pass
                return b"status connected" in text

            wait_until(told)
            assert text.lstrip(b"x").count(b"QuietLogger#debug]") <= 10
            assert os.get_blocking(writer), "whoever else writes to this pipe must not see it changed"
        service.process.send_signal(signal.SIGTERM)
        assert service.ends() in (0, -signal.SIGTERM)
        wait_until(lambda: told() and b"Server Shut Down." in text)


def test_a_stop_does_not_wait_for_a_full_pipe(wheel_python: Path, tmp_path: Path) -> None:
    """No longer than the two seconds that the queue is given."""
    port = free_port()
    with full_pipe() as (_, writer), relay(wheel_python, tmp_path, port, writer) as service:
        with client(port) as frontend:
            ping_s(frontend)
        begun = time.monotonic()
        assert service.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - begun < 10


def test_a_full_disk_stops_nothing(wheel_python: Path, tmp_path: Path) -> None:
    """Each write fails with ENOSPC."""
    port = free_port()
    with open("/dev/full", "wb") as full, relay(wheel_python, tmp_path, port, full.fileno()) as service:
        with client(port) as frontend:
            refused_handshakes(port, 20)
            assert ping_s(frontend) < 1.0
        assert service.stop() in (0, -signal.SIGTERM)


def test_a_pipe_whose_reader_is_gone_stops_nothing(wheel_python: Path, tmp_path: Path) -> None:
    """Each write fails with EPIPE, and no SIGPIPE ends the process."""
    port = free_port()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with relay(wheel_python, tmp_path, port, writer) as service:
            with client(port) as frontend:
                refused_handshakes(port, 20)
                assert ping_s(frontend) < 1.0
            assert service.stop() in (0, -signal.SIGTERM)
    finally:
        os.close(writer)


def cpu_s(service: Process) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit, of Linux, is needed")
def test_no_file_descriptor_left(wheel_python: Path, tmp_path: Path) -> None:
    """Clients are served on, the processor is idle, the log has a line, and there is room again when some are gone."""
    port = free_port()
    env = {"TICKRELAY_LISTEN": f"tcp:{port}:interface=127.0.0.1"}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("status connected")
        with subscribed(port) as healthy, ExitStack() as stack:
            used = len(os.listdir(f"/proc/{service.process.pid}/fd"))
            resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
            for _ in range(60):
                stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)))
            service.wait_for("EMFILE")
            healthy.ticks_of(["EURUSD", "BTCUSD"])
            before, begun = cpu_s(service), time.monotonic()
            for _ in range(60):
                stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)))
            healthy.ticks_of(["EURUSD", "BTCUSD"])
            assert cpu_s(service) - before < 0.5 * (time.monotonic() - begun) + 0.5
            stack.close()

            def served() -> bool:
                try:
                    with connect(f"ws://127.0.0.1:{port}/") as another:
                        return ping_s(another) < PATIENCE_S
                except (OSError, WebSocketException, EOFError):
                    return False  # no room yet: cut off before or in the middle of the handshake

            wait_until(served)
            healthy.ticks_of(["EURUSD", "BTCUSD"])
        assert service.text().count("EMFILE") == 1
        assert "Traceback" not in service.text()


ENDS = """
import signal, sys
from twisted.application.app import AppLogger
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.logger import ILogObserver, Logger
from tickrelay.logs.service_log import ServiceLog

application, log = Application("example"), ServiceLog()
application.setComponent(ILogObserver, log.observer({"nodaemon": True}))
logger = AppLogger({})
logger.start(application)
log.start(reactor)

def end():
    for number in range(2000):
        Logger(namespace="example").info("line {number}", number=number)
    HOW

reactor.callWhenRunning(end)
reactor.run()
BEFORE
logger.stop()
AFTER
"""


BY_SIGNAL = "signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.raise_signal(signal.SIGTERM)"


@pytest.mark.parametrize(
    ("how", "before", "after", "status", "last"),
    [
        ("reactor.stop()", "", BY_SIGNAL, -signal.SIGTERM, "Server Shut Down."),
        ("reactor.crash()", "", "", 0, "Server Shut Down."),
        ("reactor.crash()", "sys.exit('a reason')", "", 1, "a reason"),
        ("reactor.crash()", "raise RuntimeError('the end')", "", 1, "RuntimeError: the end"),
    ],
    ids=["signal", "crash", "exit", "exception"],
)
def test_every_line_is_written_before_the_end(
    wheel_python: Path, tmp_path: Path, how: str, before: str, after: str, status: int, last: str
) -> None:
    """Whatever the end: by the signal that stopped the reactor, as twistd does it, or by an error."""
    script = ENDS.replace("HOW", how).replace("BEFORE", before).replace("AFTER", after)
    done = subprocess.run(
        [wheel_python, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    lines = done.stdout.splitlines()
    assert [line.split()[-1] for line in lines if "] line " in line] == list(map(str, range(2000)))
    assert (done.returncode, done.stderr) == (status, "")
    assert lines[-1].endswith(f"] {last}")
