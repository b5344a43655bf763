"""The load generator: a C program (``load/``) that is many clients, and what it is told.

It reads all that the clients are sent and checks it: every tick's form and numbers, that it was asked for, its order,
and that none before it is missing.
"""

import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contender import CACHE, MissingError
from benchmarks.dialects import Dialect, handshake
from benchmarks.processes import ROOT, BenchError, Process
from benchmarks.workloads import SYMBOLS, Change

SOURCES = ROOT / "benchmarks" / "load"
STAGE_TIMEOUT_S = 150.0
EVERYTHING = (1 << len(SYMBOLS)) - 1


def build() -> Path:
    """Compile it, if it has changed; the program. Raises MissingError without a C compiler or OpenSSL's headers."""
    program = CACHE / "load"
    sources = sorted(SOURCES.glob("*.c"))
    newest = max(path.stat().st_mtime for path in SOURCES.iterdir())
    if program.exists() and program.stat().st_mtime > newest:
        return program
    compiler = shutil.which("cc")
    if not compiler:
        raise MissingError("uncompiled")
    CACHE.mkdir(exist_ok=True)
    command = [compiler, "-O2", "-D_GNU_SOURCE", "-o", str(program), *map(str, sources), "-lssl", "-lcrypto"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "openssl/ssl.h: No such file" in done.stderr:
        raise MissingError("uncompiled")
    if done.returncode:
        raise BenchError(f"the load generator does not compile: {done.stderr[-400:]}")
    return program


@dataclass(frozen=True)
class Plan:
    """A group of clients: the symbols of each, the limit of ticks a second and symbol it asks for (0: none), requests
    that say more than these, and the changes that are made one after the other."""

    dialect: Dialect
    lists: Sequence[Sequence[str]]
    max_rates: Sequence[float] = ()
    requests: Sequence[bytes] = ()
    changes: Sequence[Change] = ()

    def write(self, path: Path, port: int) -> None:
        """What ``load/plan.c`` reads."""
        dialect = self.dialect
        parts = [struct.pack("I", dialect.kind)]
        parts += map(_text, (handshake("127.0.0.1", port, dialect.subprotocol), dialect.ready, dialect.ping))
        parts += [struct.pack("I", len(SYMBOLS)), *(_text(symbol.encode()) for symbol in SYMBOLS)]
        parts.append(struct.pack("I", len(self.lists)))
        for i, symbols in enumerate(self.lists):
            wanted = sum(1 << SYMBOLS.index(symbol) for symbol in symbols)
            rate = self.max_rates[i] if self.max_rates else 0.0
            request = self.requests[i] if self.requests else dialect.requests(symbols, rate)
            parts.append(struct.pack("=QI", EVERYTHING if self.changes else wanted, round(1e6 / rate) if rate else 0))
            parts.append(_text(request))
        parts.append(struct.pack("I", len(self.changes)))
        for change in self.changes:
            request = dialect.change([change.dropped], [change.taken])
            parts += [struct.pack("I", change.client), _text(request)]
        path.write_bytes(b"".join(parts))


def _text(data: bytes) -> bytes:
    return struct.pack("I", len(data)) + data


class Load:
    """The program at work against a port of 127.0.0.1. Groups of clients have numbers; 0 is the one measured."""

    def __init__(self, process: Process, folder: Path, port: int) -> None:
        self._process = process
        self._folder = folder
        self._port = port

    @staticmethod
    def command(port: int, tls: bool) -> list[str]:
        """What to run."""
        return [str(build()), str(port), str(int(tls))]

    def plan(self, group: int, plan: Plan) -> None:
        """Say who the group is."""
        path = self._folder / f"{self._port}.{group}.plan"
        plan.write(path, self._port)
        try:
            self.ask(f"plan {group} {path}")
        finally:
            path.unlink()

    def ask(self, command: str, timeout_s: float = STAGE_TIMEOUT_S) -> dict[str, Any]:
        """Give a command (see ``load/main.c``) and wait for its answer. Raises BenchError with what went wrong."""
        return self._process.ask(command, timeout_s)
