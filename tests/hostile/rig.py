"""Real processes for the hostile tests: the relay alone on a core; feed, innocents and attackers on the other one."""

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any, Self

import trustme

from tests.hostile.feed import TICKING, symbol_name
from tests.support.processes import Process, Twistd, free_port, relay

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = Path(sys.executable)
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
TOKEN = "the-token-of-the-innocents"


def cores() -> tuple[int, int]:
    """The core of the relay, and that of everybody else; the same one on a machine without a second."""
    available = sorted(os.sched_getaffinity(0))
    return available[-1], available[0]


class Worker(Process):
    """A module of this folder as a process on the attackers' core; reads orders, prints answers."""

    def __init__(self, module: str, folder: Path, *arguments: object, **env: str) -> None:
        command = [str(PYTHON), "-m", f"tests.hostile.{module}", *map(str, arguments)]
        super().__init__(module, command, folder, {"PYTHONPATH": str(ROOT), **env}, stdin=PIPE)
        os.sched_setaffinity(self.process.pid, {cores()[1]})
        self._asked = 0

    def kill(self) -> None:
        """End it, and the pipe to it."""
        super().kill()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def order(self, line: str) -> None:
        """Give an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, word: str, timeout_s: float = 60.0, times: int = 1) -> dict[str, Any]:
        """The JSON after *word* in the *times*-th line that has it."""
        found: dict[str, Any] = json.loads(self.wait_for(rf"(?m)^{word} (\{{.*\}})$", timeout_s, times)[1])
        return found

    def report(self) -> dict[str, Any]:
        """Order a report, and wait for it."""
        self._asked += 1
        self.order("report")
        return self.answer("REPORT", times=self._asked)


class Inside:
    """What the kernel says of a process."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")

    def rss_mib(self) -> float:
        """Resident memory now."""
        return int((self._proc / "statm").read_text().split()[1]) * PAGE_KIB / 1024

    def descriptors(self) -> int:
        """How many are open."""
        return len(os.listdir(self._proc / "fd"))

    def cpu_s(self) -> float:
        """User and system time since the start."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def kinds(self) -> list[str]:
        """A line for each descriptor: what it is, and of a TCP socket its ends and its state."""
        states = dict(enumerate(" ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE".split(" ")))
        states |= {8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING"}
        sockets = {}
        for line in (self._proc / "net/tcp").read_text().splitlines()[1:]:
            _, local, remote, state, *rest = line.split()
            ends = ["{}:{}".format(".".join(str(b) for b in bytes.fromhex(ip)[::-1]), int(port, 16))
                    for ip, port in (local.split(":"), remote.split(":"))]  # fmt: skip
            sockets[rest[5]] = f"{ends[0]} <- {ends[1]} {states[int(state, 16)]} queues {rest[0]}"
        found = []
        for number in sorted(os.listdir(self._proc / "fd"), key=int):
            try:
                link = os.readlink(self._proc / "fd" / number)
            except OSError:
                continue
            inode = re.fullmatch(r"socket:\[(\d+)\]", link)
            found.append(f"{number}: {sockets.get(inode[1], link) if inode else link}")
        return found


def settled(read: Callable[[], float], at_most: float, timeout_s: float) -> float:
    """What *read* returns, as soon as it is no more than *at_most*, or after the timeout."""
    deadline = time.monotonic() + timeout_s
    while (now := read()) > at_most and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


class Stage:
    """A relay with its feed, and innocents at it."""

    def __init__(self, kind: str, service: Twistd, innocents: Worker, port: int, authority: str) -> None:
        self.kind = kind
        self.service = service
        self.innocents = innocents
        self.port = port
        self.authority = authority
        self.relay = Inside(service.process.pid)

    def attackers(self, name: str, connections: int, addresses: int, seconds: float) -> Worker:
        """Begin an attack, which ends by itself."""
        options = ["--connections", connections, "--addresses", addresses, "--seconds", seconds]
        more = ["--authority", self.authority] if self.authority else []
        folder = self.service.output.parent
        return Worker("attackers", folder, name, "--port", self.port, *options, *more, INNOCENT_TOKEN=TOKEN)


@contextmanager
def stage(
    kind: str, folder: Path, symbols: int = 3000, clients: int = 50, arguments: Sequence[str] = ()
) -> Iterator[Stage]:
    """Start a relay of this kind (``plain``, ``tokens``, ``tls``) with innocents; they have ticks when it is there."""
    with ExitStack() as stack:
        spots = 200 if symbols <= 5_000 else 50
        feed = stack.enter_context(Worker("feed", folder, "--ca", "ca.pem", "--symbols", symbols, "--spots", spots))
        feed_port = int(feed.wait_for(r"feed on (\d+)")[1])
        port, listen, authority = free_port(), "", ""
        env = {}
        if kind == "tls":
            listen, authority = _certificate(folder, port), str(folder / "authority.pem")
            arguments = [*arguments, "--listen", listen]
        elif kind == "tokens":
            (folder / "tokens").write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "\n")
            env["TICKRELAY_TOKENS_FILE"] = "tokens"
        service = stack.enter_context(relay(PYTHON, folder, feed_port, port, *arguments, **env))
        os.sched_setaffinity(service.process.pid, {cores()[0]})
        service.wait_for("status connected")
        names = ",".join(symbol_name(n) for n in range(1, TICKING + 1))
        more = ["--authority", authority] if authority else []
        options = ["--port", port, "--clients", clients, "--symbols", names, "--counted", *more]
        innocents = stack.enter_context(
            Worker("innocents", folder, *options, INNOCENT_TOKEN=TOKEN if kind == "tokens" else "")
        )
        innocents.wait_for("READY")
        deadline = time.monotonic() + 30
        while (report := innocents.report())["open"] < clients or not report["ticks"]:
            assert time.monotonic() < deadline, report
            time.sleep(0.3)
        yield Stage(kind, service, innocents, port, authority)


class Stages:
    """The stage that is set at the moment; a new one where another kind is wanted, or the last attack left damage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._kind = ""
        self._set = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.strike()

    def get(self, kind: str) -> Stage:
        """A stage of this kind."""
        if self._kind != kind:
            self.strike()
            self._number += 1
            folder = self._folder / f"{self._number}-{kind}"
            folder.mkdir()
            self._stage = self._set.enter_context(stage(kind, folder))
            self._kind = kind
        return self._stage

    def strike(self) -> None:
        """End the stage that is set."""
        self._set.close()
        self._kind = ""


def _certificate(folder: Path, port: int) -> str:
    """The endpoint of a TLS listener, with an authority for its clients."""
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    pair.private_key_pem.write_to_path(folder / "key.pem")
    pair.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return f"ssl:{port}:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"
