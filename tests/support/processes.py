"""Real processes: twistd from the built wheel, away from the checkout, with what it prints kept in a file."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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


@contextmanager
def interrupts() -> Iterator[None]:
    """What is started meanwhile does not inherit that SIGINT is ignored.

    A shell without job control starts its background jobs so. Twisted and Python then leave it ignored, and a test that
    sends SIGINT would wait for ever. (`Popen`'s ``preexec_fn`` would do, but not in a process with threads.)
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # exec makes the default of any handler
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Process:
    """A command as a process, with what it prints in a file of *folder*; killed when the with-block ends."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self.output = folder / f"{name}-{len(list(folder.glob(f'{name}-*')))}.log"
        self._file = self.output.open("wb")
        base = {key: value for key, value in os.environ.items() if not re.search("PORT|HOST|CTRADER|TICKRELAY", key)}
        # A killed process leaves its temporary files behind: they go with the test's folder.
        base["TMPDIR"] = str(folder / "tmp")
        (folder / "tmp").mkdir(exist_ok=True)
        settings = {"cwd": folder, "stdout": self._file, "stderr": subprocess.STDOUT, **options}
        with interrupts():
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


def simulator(python: Path, folder: Path, port: int, *arguments: str) -> Twistd:
    """A simulated cTrader server on *port*; writes its authority to ca.pem in *folder*."""
    return Twistd(python, folder, "ctrader-simulator", "--port", str(port), "--ca-file", "ca.pem", *arguments)


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
