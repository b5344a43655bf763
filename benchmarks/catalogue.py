"""Who takes part besides tickrelay (``relay.py``): how each contender is installed, found and started.

Installation happens once, into ``benchmarks/.cache``, with pip, npm and the C compiler, from the versions pinned
here. What cannot be had is left out with one word; nothing outside that folder is touched.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable

from benchmarks.certificates import server_pem
from benchmarks.contender import CACHE, TO_NATS, Contender, MissingError, Start
from benchmarks.processes import ROOT
from benchmarks.relay import RELAYS, WSS_SCENARIOS
from benchmarks.workloads import SYMBOLS

HERE = ROOT / "benchmarks" / "contenders"
VENV = CACHE / "venv"
NODE = CACHE / "node"

PYTHON_PACKAGES = {
    "websockets": "websockets==17.4",
    "picows": "picows==2.3.1",
    "uvloop": "uvloop==0.23.0",
    "socketify": "socketify==0.0.31",
    "autobahn": "autobahn==26.10.2",
    "twisted": "twisted==26.10.0",
}
FLOOR_SCENARIOS = ("light", "A", "heavy", "own light", "B", "own heavy")
WS_VERSION = "8.23.0"


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise MissingError("uninstallable")
    return done.stdout.strip()


def _python(package: str, *others: str) -> Callable[[], str]:
    def prepare() -> str:
        python = VENV / "bin" / "python"
        if not python.exists():
            _run(sys.executable, "-m", "venv", str(VENV))
        wanted = [PYTHON_PACKAGES[name] for name in (package, *others)]
        code = "import sys; from importlib.metadata import version; [print(version(n)) for n in sys.argv[1:]]"
        try:
            found = _run(str(python), "-c", code, package, *others).split()
        except MissingError:
            found = []
        if found != [line.partition("==")[2] for line in wanted]:
            _run(str(python), "-m", "pip", "install", "--quiet", *wanted)
        return ", ".join(line.replace("==", " ") for line in wanted)

    return prepare


def _python_server(module: str, *words: str) -> Callable[[int, int], Start]:
    def start(port: int, feed_port: int) -> Start:
        command = [str(VENV / "bin" / "python"), "-m", f"benchmarks.contenders.{module}", str(port), str(feed_port)]
        return Start([*command, *words], {})

    return start


def _prepare_ws() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise MissingError("uninstalled")
    manifest = NODE / "node_modules" / "ws" / "package.json"
    if not manifest.exists() or f'"version": "{WS_VERSION}"' not in manifest.read_text():
        NODE.mkdir(exist_ok=True)
        _run(npm, "install", "--prefix", str(NODE), "--silent", "--no-audit", "--no-fund", f"ws@{WS_VERSION}")
    return f"ws {WS_VERSION}, node {_run(node, '--version')}"


def _node(mode: str, *, tls: bool = False) -> Callable[[int, int], Start]:
    def start(port: int, feed_port: int) -> Start:
        script = str(HERE / "node_server.mjs")
        command = ["node", script, mode, str(port), str(feed_port), str(NODE), ",".join(SYMBOLS)]
        return Start([*command, *map(str, (server_pem(), server_pem()))] if tls else command, {})

    return start


def _prepare_floor() -> str:
    compiler = shutil.which("cc")
    if not compiler:
        raise MissingError("uncompiled")
    _run(compiler, "-O2", "-o", str(CACHE / "floor"), str(HERE / "floor.c"))
    return _run(compiler, "--version").splitlines()[0]


def _start_floor(rest: str) -> Callable[[int, int], Start]:
    def start(port: int, feed_port: int) -> Start:
        return Start([str(CACHE / "floor"), str(port), str(feed_port), ",".join(SYMBOLS), rest], {})

    return start


def _nats_server() -> str:
    # Debian keeps it out of the way of ordinary users
    found = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if not found:
        raise MissingError("uninstalled")
    return found


def _prepare_nats() -> str:
    return _run(_nats_server(), "--version").replace(": v", " ")


def _start_nats(port: int, feed_port: int) -> Start:
    config = CACHE / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{feed_port}"\nmax_connections: 20000\n'
        f'websocket {{ listen: "127.0.0.1:{port}", no_tls: true }}\n'
    )
    return Start([_nats_server(), "-c", str(config)], {})


CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        *RELAYS,
        Contender("ws", "`ws` on Node.js, `JSON.stringify` and `send` for each client", _prepare_ws, _node("naive")),
        Contender("ws-once", "`ws`, `JSON.stringify` once", _prepare_ws, _node("once")),
        Contender("ws-corked", "`ws`, once, corked for a turn", _prepare_ws, _node("corked")),
        Contender("node", "`ws`, its frames coalesced as here", _prepare_ws, _node("coalesced")),
        Contender(
            "ws-tls",
            "`ws`, once, corked for a turn, TLS",
            _prepare_ws,
            _node("corked", tls=True),
            scenarios=WSS_SCENARIOS,
            tls=True,
        ),
        Contender(
            "node-tls",
            "`ws`, its frames coalesced as here, TLS",
            _prepare_ws,
            _node("coalesced", tls=True),
            scenarios=WSS_SCENARIOS,
            tls=True,
        ),
        Contender(
            "websockets", "`websockets`, `broadcast`", _python("websockets"), _python_server("websockets_server")
        ),
        Contender("picows", "picows on uvloop", _python("picows", "uvloop"), _python_server("picows_server")),
        Contender(
            "socketify", "socketify (uWebSockets), `publish`", _python("socketify"), _python_server("socketify_server")
        ),
        Contender(
            "autobahn",
            "Autobahn, `sendMessage` for each client",
            _python("autobahn", "twisted"),
            _python_server("autobahn_server", "each"),
        ),
        Contender(
            "autobahn-prepared",
            "Autobahn, `sendPreparedMessage`",
            _python("autobahn", "twisted"),
            _python_server("autobahn_server", "prepared"),
        ),
        Contender("nats", "NATS over WebSocket", _prepare_nats, _start_nats, dialect="nats", feed=TO_NATS),
        Contender("floor", "C, one `send` per client and turn", _prepare_floor, _start_floor("0")),
        Contender(
            "floor-rest",
            "C, the same with a rest after each turn",
            _prepare_floor,
            _start_floor("1"),
            scenarios=FLOOR_SCENARIOS,
        ),
    )
}
