"""tickrelay as a contender: the real service, started as anybody would start it, and its variants.

Only limits that would turn the load generator away are lifted; everything else is as shipped.
"""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from benchmarks.certificates import server_pem
from benchmarks.contender import CACHE, Contender, Feed, MissingError, Start
from benchmarks.processes import ROOT
from tickrelay.config import settings

CA = CACHE / "upstream-ca.pem"
FEED = Feed("benchmarks.upstream", ("--ca", str(CA), "--listen"))
CLIENTS = "20000"
CREDENTIALS = {
    "CTRADER_CLIENT_ID": "bench",
    "CTRADER_CLIENT_SECRET": "bench-secret",
    "CTRADER_ACCESS_TOKEN": "bench-token",
    "CTRADER_ACCOUNT_ID": "1001",
}
WINDOW_MS = 10


def _prepare() -> str:
    if not find_spec("tickrelay.upstream.service"):
        raise MissingError("unfinished")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("twisted", "autobahn", "protobuf", "pyopenssl"))
    return f"tickrelay {version('tickrelay')}, {libraries}"


WSS_SCENARIOS = ("wss kib", "wss slow", "wss light", "wss heavy")


def _start(more: Mapping[str, str] = MappingProxyType({}), *, tls: bool = False) -> Callable[[int, int], Start]:
    """The command, with environment variables more."""

    def start(port: int, feed_port: int) -> Start:
        command = [str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=", "tickrelay"]
        listen = f"tcp:{port}:interface=127.0.0.1:backlog=1024"
        if tls:
            pem = server_pem()
            listen = f"{listen.replace('tcp', 'ssl', 1)}:privateKey={pem}:certKey={pem}"
        command += ["--env-file", "/dev/null", "--listen", listen]
        command += ["--ctrader-host", "localhost", "--ctrader-port", str(feed_port), "--ctrader-ca", str(CA)]
        command += ["--max-connections", CLIENTS, "--max-connections-per-address", CLIENTS]
        # Else twistd would load the tickrelay that its environment has installed, which may be another checkout's.
        return Start(command, {"PYTHONPATH": str(ROOT), **CREDENTIALS, **more})

    return start


def _window_setting() -> tuple[str, str] | None:
    """The environment variable that sets the flush window to `WINDOW_MS`, and its value."""
    for setting in settings.settings():
        if setting.name.startswith("flush_window"):
            return setting.env, f"{WINDOW_MS / 1000 if setting.unit == 's' else WINDOW_MS:g}"
    return None


def _prepare_window() -> str:
    if not _window_setting():
        raise MissingError("unsettable")
    return _prepare()


def _start_window(port: int, feed_port: int) -> Start:
    setting = _window_setting()
    assert setting, "prepared without it"
    return _start(dict([setting]))(port, feed_port)


def stuck_contender(timeout_s: float) -> Contender:
    """The relay with more patience than usual, to see stuck clients come back."""
    return Contender(
        "tickrelay", "**tickrelay**", _prepare, _start({"TICKRELAY_STUCK_TIMEOUT": f"{timeout_s:g}"}), feed=FEED
    )


OWN_SCENARIOS = (
    *("steps", "burst", "join", "many", "grow-100", "upstream", "grow-1000", "grow-10000", "skew", "churn", "few"),
    *("stuck", "slow"),
)

RELAYS = (
    Contender("tickrelay", "**tickrelay**", _prepare, _start(), feed=FEED, extra=OWN_SCENARIOS),
    Contender(
        "tickrelay-10ms",
        "**tickrelay**, 10 ms window",
        _prepare_window,
        _start_window,
        feed=FEED,
        scenarios=("light", "heavy", "own light", "D"),
    ),
    Contender(
        "tickrelay-v1",
        "**tickrelay**, v1 JSON",
        _prepare,
        _start(),
        dialect="v1-json",
        feed=FEED,
        scenarios=("light", "A", "heavy", "unlimited", "rated", "resume"),
    ),
    Contender(
        "tickrelay-v1-protobuf",
        "**tickrelay**, v1 Protobuf",
        _prepare,
        _start(),
        dialect="v1-protobuf",
        feed=FEED,
        scenarios=("light", "A", "heavy"),
    ),
    Contender(
        "tickrelay-wss", "**tickrelay**, TLS", _prepare, _start(tls=True), feed=FEED, scenarios=WSS_SCENARIOS, tls=True
    ),
)
