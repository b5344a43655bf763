"""A daemon: where it listens and what paths count from; or its one line on the terminal where it cannot start."""

import re
import socket
import ssl
from pathlib import Path

import pytest

from tests.support.frontend import status_of
from tests.support.processes import end_daemon, said, twistd, wait_until

LISTEN = {"TICKRELAY_LISTEN": "tcp:0:interface=127.0.0.1"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--logfile", "nowhere/log"], "--logfile: cannot write {folder}/nowhere/log: No such file or directory"),
        (["--logfile", "."], "--logfile: cannot write {folder}: Is a directory"),
        (["--pidfile", "nowhere/pid"], "--pidfile: cannot write {folder}/nowhere/pid: No such file or directory"),
        (["--rundir", "nowhere"], "--rundir: {folder}/nowhere is no directory to change to"),
    ],
)
@pytest.mark.parametrize("foreground", [False, True])
def test_what_twistd_opens_itself(
    wheel_python: Path, tmp_path: Path, words: list[str], line: str, foreground: bool
) -> None:
    """Refused before the fork, and in the foreground in the same words."""
    done = twistd(wheel_python, tmp_path, *["--nodaemon"] * foreground, *words, "tickrelay", "--simulate", **LISTEN)
    assert said(done) == f"tickrelay: {line.format(folder=tmp_path)}"
    assert not list(tmp_path.glob("*.pid"))


def test_standard_output_is_no_log_of_a_daemon(wheel_python: Path, tmp_path: Path) -> None:
    """twistd says so only after the promise."""
    line = said(twistd(wheel_python, tmp_path, "--logfile", "-", "tickrelay", "--simulate", **LISTEN))
    assert line.startswith("tickrelay: --logfile -: a daemon has no standard output to log to")


@pytest.mark.parametrize("flag", ["--listen", "--admin"])
def test_a_unix_socket_without_a_directory(wheel_python: Path, tmp_path: Path, flag: str) -> None:
    """The terminal has the line and so has the log; there is no traceback."""
    done = twistd(wheel_python, tmp_path, "tickrelay", "--simulate", flag, "unix:/nowhere/socket", **LISTEN)
    assert said(done) == f"tickrelay: cannot listen on unix:/nowhere/socket (set by {flag}): No such file or directory"
    log = (tmp_path / "twistd.log").read_text()
    assert said(done) in log and "Traceback" not in log


def test_a_unix_socket_of_a_daemon(wheel_python: Path, tmp_path: Path) -> None:
    """Tried before the fork and bound after it; another relay there is refused, and this one unharmed."""
    words = ["tickrelay", "--simulate", "--listen", f"unix:{tmp_path}/socket"]
    done = twistd(wheel_python, tmp_path, *words)
    try:
        assert done.returncode == 0, done.stderr
        wait_until(lambda: "status connected" in (tmp_path / "twistd.log").read_text())
        line = said(twistd(wheel_python, tmp_path, "--pidfile", "other.pid", "--logfile", "other.log", *words))
        assert "stop what uses it" in line
        assert (tmp_path / "socket").is_socket()
    finally:
        end_daemon(tmp_path)
    assert "Traceback" not in (tmp_path / "twistd.log").read_text()


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["tickrelay", "--simulate", "--listen", "tcp:0:interface=127.0.0.1"], r"clients connect to ws://[^:]+:(\d+)/"),
        (
            ["ctrader-simulator", "--port", "0", "--ca-file", "ca.pem"],
            r"simulates cTrader on [^:]+:(\d+) \(TLS\)",
        ),
    ],
)
def test_a_daemon_says_where_it_listens(wheel_python: Path, tmp_path: Path, words: list[str], where: str) -> None:
    """Before it leaves the terminal: the address, the pid file and the log file; and it is there."""
    done = twistd(wheel_python, tmp_path, *words)
    try:
        files = f", pid file {tmp_path}/twistd.pid, log file {tmp_path}/twistd.log"
        found = re.fullmatch(rf"{words[0]}: {where}; runs in the background{re.escape(files)}\n", done.stdout)
        assert found is not None, done.stdout
        assert done.returncode == 0
        if words[0] == "tickrelay":
            status_of(int(found[1]), "connected")
        else:
            context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
            with socket.create_connection(("127.0.0.1", int(found[1])), timeout=5) as raw:
                context.wrap_socket(raw, server_hostname="localhost").close()
    finally:
        end_daemon(tmp_path)
    assert "Traceback" not in (tmp_path / "twistd.log").read_text()


def test_relative_paths_count_from_where_twistd_was_started(wheel_python: Path, tmp_path: Path) -> None:
    """With --rundir too, as for twistd's own pid and log file."""
    (tmp_path / "run").mkdir()
    words = ["--rundir", "run", "tickrelay", "--simulate", "--record", "recording"]
    twistd(wheel_python, tmp_path, *words, TICKRELAY_LISTEN="tcp:0:interface=127.0.0.1")
    wait_until(lambda: "status connected" in (tmp_path / "twistd.log").read_text())
    end_daemon(tmp_path)
    assert list((tmp_path / "recording").iterdir())
    assert not list((tmp_path / "run").iterdir())
