"""Starts the processes of one comparison, each on its core, reads what they cost, and never leaves one behind.

Everything started here dies with this process (the kernel sees to it), is in a process group of its own and is
stopped by its own id.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
STOP_TIMEOUT_S = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """A contender, the feed or the load generator did not do its part."""


def cores() -> tuple[int, int]:
    """The core for the server and the core for everything else; the same one if the machine has no second."""
    available = sorted(os.sched_getaffinity(0))
    return available[-1], available[0]


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One child process, pinned to a core."""

    def __init__(
        self,
        command: Sequence[str],
        core: int,
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        talks: bool = False,
    ) -> None:
        self.command = list(command)
        self._log = log

        def prepare() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {core})
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        with log.open("wb") as output:
            self._child = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                preexec_fn=prepare,
                start_new_session=True,
            )
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and whatever it started: politely, then not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
                self._child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                self._child.wait()
            break
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()

    def require_life(self) -> None:
        """Raise if it has ended."""
        if self._child.poll() is not None:
            raise BenchError(f"{self.command[0]} ended with {self._child.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it wrote to its log."""
        return self._log.read_text(errors="replace")[-400:].strip()

    def await_port(self, port: int, timeout_s: float = 20.0) -> None:
        """Wait until somebody listens there."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.require_life()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise BenchError(f"{self.command[0]} does not listen on its port: {self.last_words()}")

    def tell(self, line: str) -> None:
        """Give a command."""
        assert self._child.stdin
        try:
            self._child.stdin.write(line.encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"{self.command[-1]} has gone: {self.last_words()}") from None

    def hear(self, timeout_s: float) -> str:
        """The next line it says."""
        assert self._child.stdout
        if not select.select([self._child.stdout], [], [], timeout_s)[0]:
            raise BenchError(f"no answer within {timeout_s:.0f} s: {self.last_words()}")
        line = self._child.stdout.readline().decode().strip()
        if not line:
            raise BenchError(f"gone without an answer: {self.last_words()}")
        return line

    def ask(self, line: str, timeout_s: float) -> dict[str, Any]:
        """Give a command and wait for its JSON answer."""
        self.tell(line)
        answer: dict[str, Any] = json.loads(self.hear(timeout_s))
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer

    def cpu_s(self) -> float:
        """CPU time used so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def rss_kib(self) -> int:
        """Resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise BenchError(f"{self.command[0]} has ended: {self.last_words()}")
