"""Real processes: twistd from the built wheel, away from the checkout, with what it prints kept in a file."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

STEP_S = 0.02
PATIENCE_S = 60.0
"""A deadline that only what went wrong reaches, on a machine that does much else too."""


_reserved: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 that a server started by this test may listen on, and that nothing else is given meanwhile.

    It stays bound here, without listening. Linux lets a server with SO_REUSEADDR (as Twisted and nginx set it) bind it
    all the same, but gives it neither to a bind to port 0 nor to an outgoing connection of any other process.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    port = int(probe.getsockname()[1])
    if sys.platform == "linux":
        _reserved.append(probe)
    else:
        probe.close()  # others refuse the server the same address
    return port


_OFTEN_IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


@contextmanager
def usual_signals() -> Iterator[None]:
    """What is started meanwhile does not inherit that SIGINT, SIGQUIT or SIGHUP is ignored.

    A shell without job control ignores the first two for its background jobs, nohup ignores SIGHUP. Twisted, Python
    and the relay then leave it so, and a test that sends it would wait for ever. (`Popen`'s ``preexec_fn`` would do,
    but not in a process with threads.)
    """
    ignored = [number for number in _OFTEN_IGNORED if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)  # exec makes the default of any handler
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def environ_without_settings() -> dict[str, str]:
    """The environment of this process without what the relay or the simulator would take for a setting."""
    return {key: value for key, value in os.environ.items() if not re.search("PORT|HOST|CTRADER|TICKRELAY", key)}


class Process:
    """A command as a process, with what it prints in a file of *folder*; killed when the with-block ends."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self.output = folder / f"{name}-{len(list(folder.glob(f'{name}-*')))}.log"
        self._file = self.output.open("wb")
        base = environ_without_settings()
        # A killed process leaves its temporary files behind: they go with the test's folder.
        base["TMPDIR"] = str(folder / "tmp")
        (folder / "tmp").mkdir(exist_ok=True)
        settings = {"cwd": folder, "stdout": self._file, "stderr": subprocess.STDOUT, **options}
        with usual_signals():
            self.process = subprocess.Popen(command, env={**base, **(env or {})}, **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()
        self._file.close()
        if error is not None:
            print(f"--- {self.output.name}\n{self.text()}", file=sys.stderr)

    def text(self) -> str:
        """All that it has printed."""
        return self.output.read_text(errors="replace")

    def wait_for(self, pattern: str, timeout_s: float = PATIENCE_S, times: int = 1) -> re.Match[str]:
        """Wait until what it printed matches *pattern* for the *times*-th time."""
        deadline = time.monotonic() + timeout_s
        while True:
            ended = self.process.poll() is not None  # before reading: what it printed last counts
            found = list(re.finditer(pattern, self.text()))
            if len(found) >= times:
                return found[times - 1]
            assert not ended, f"ended with {self.process.returncode}: {self.text()}"
            assert time.monotonic() < deadline, f"no {pattern!r} within {timeout_s} s"
            time.sleep(STEP_S)

    def ends(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end; returns the exit status (negative: the signal)."""
        return self.process.wait(timeout_s)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.ends(timeout_s)

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Twistd(Process):
    """``twistd --nodaemon NAME …``."""

    def __init__(
        self, python: Path, folder: Path, name: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(
            name, [str(python.parent / "twistd"), "--nodaemon", "--pidfile=", name, *arguments], folder, env
        )


@contextmanager
def simulator(python: Path, folder: Path, port: int, *arguments: str) -> Iterator[Twistd]:
    """A simulated cTrader server on *port*, which accepts connections; writes its authority to ca.pem in *folder*."""
    flags = ("--port", str(port), "--ca-file", "ca.pem", *arguments)
    with Twistd(python, folder, "ctrader-simulator", *flags) as process:
        process.wait_for("cTrader simulator on")
        yield process


def relay(python: Path, folder: Path, port: int, ws_port: int, *arguments: str, **env: str) -> Twistd:
    """The relay against the simulator on *port*, with the simulator's own account."""
    account = {
        "CTRADER_CLIENT_ID": "sim",
        "CTRADER_CLIENT_SECRET": "sim-secret",
        "CTRADER_ACCESS_TOKEN": "sim-token",
        "CTRADER_ACCOUNT_ID": "1001",
        "CTRADER_HOST": "localhost",
        "CTRADER_PORT": str(port),
        "CTRADER_CA_FILE": "ca.pem",
        "WS_PORT": str(ws_port),
    }
    return Twistd(python, folder, "tickrelay", *arguments, env={**account, **env})


FOREGROUND = ("--nodaemon", "--pidfile=")


def twistd(python: Path, folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run twistd in *folder* until it returns to the terminal; standard output and error are kept together."""
    return subprocess.run(
        [python.parent / "twistd", *words], cwd=folder, env={**environ_without_settings(), **environ},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused start leaves on the terminal."""
    assert done.returncode == 1, done.stdout
    (line,) = done.stdout.splitlines()
    return line


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll *condition* for up to 20 seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def end_daemon(folder: Path) -> None:
    """Stop the daemon of *folder*; twistd removes the pid file at its end."""
    os.kill(int((folder / "twistd.pid").read_text()), signal.SIGTERM)
    wait_until(lambda: not (folder / "twistd.pid").exists())


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.create_server(("0.0.0.0", 0)) as other:
        yield int(other.getsockname()[1])
