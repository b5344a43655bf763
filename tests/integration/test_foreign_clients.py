"""Clients that are not ours believe the simulator: PyPI's ctrader-open-api and npm's @reiryoku/ctrader-layer.

Each is installed from its registry, once, into pytest's cache directory, with the versions it asks for. A machine that
cannot reach a registry, or has no npm, skips with the reason. How the users of the packages behave is in ``foreign/``.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Twistd, free_port

pytestmark = pytest.mark.foreign

HERE = Path(__file__).parent / "foreign"
PYTHON_PACKAGE = "ctrader-open-api==0.9.2"
NODE_PACKAGE = "@reiryoku/ctrader-layer@2.2.0"
AWAY = re.compile(
    "No matching distribution|NewConnectionError|Temporary failure|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|E40[134]"
)

STEPS = ["connected", "application", "account", "symbols 65", "spots", "disconnected"]
"""What a client says in its first connection; in the second one it says the same up to the spots, then ``done``."""

CONFIG = """
[rules]
idle_s = 4.0        # short, so that staying past it is soon shown
heartbeat_s = 1.5   # the Python package answers each of these; the Node package sends heartbeats of its own
unknown_field_every = 3
"""


def kept(request: pytest.FixtureRequest, name: str) -> Path:
    """A folder that outlives the run, where pytest may keep one."""
    cache = getattr(request.config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir(name))
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    return factory.mktemp(name)


def installed(*command: str | Path, folder: Path) -> None:
    """Run an installer; skip where its registry is out of reach."""
    done = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True, timeout=240)
    if done.returncode:
        output = done.stdout + done.stderr
        shutil.rmtree(folder)
        if AWAY.search(output):
            pytest.skip(f"{command[0]}: the registry cannot be reached: {output.strip().splitlines()[-1]}")
        pytest.fail(output)


@pytest.fixture(scope="module")
def python_client(request: pytest.FixtureRequest) -> Path:
    """The python of an environment that has the PyPI package with its own pins (Twisted 24.3, protobuf 3.20)."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = kept(request, f"ctrader-open-api-{version}")
    python = folder / "venv" / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        installed(sys.executable, "-m", "venv", "--clear", folder / "venv", folder=folder)
        pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        if sys.version_info < (3, 12):
            installed(*pip, PYTHON_PACKAGE, folder=folder)
        else:  # its pins are older than this Python: the package alone, with what its dependencies are today
            installed(*pip, "twisted[tls]", "protobuf", "requests", "inputimeout", folder=folder)
            installed(*pip, "--no-deps", PYTHON_PACKAGE, folder=folder)
        ready.touch()
    return python


@pytest.fixture(scope="module")
def node_modules(request: pytest.FixtureRequest) -> Path:
    """The folder that the npm package is installed in."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm on this machine")
    folder = kept(request, "ctrader-layer")
    ready = folder / "ready"
    if not ready.exists():
        installed(npm, "install", "--no-audit", "--no-fund", "--prefix", folder, NODE_PACKAGE, folder=folder)
        ready.touch()
    return folder / "node_modules"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A simulator as a process of its own; its port and its control port."""
    (tmp_path / "simulator.toml").write_text(CONFIG)
    port, control = free_port(), free_port()
    flags = ["--port", str(port), "--control", str(control), "--ca-file", "ca.pem", "--config", "simulator.toml"]
    with Twistd(Path(sys.executable), tmp_path, "ctrader-simulator", *flags) as process:
        process.wait_for("cTrader simulator on")
        yield port, control
        assert "Traceback" not in process.text()


def check(output: str) -> None:
    """The steps in their order, twice, and spots each time."""
    lines = output.splitlines()
    first, second = lines[: len(STEPS)], lines[len(STEPS) : 2 * len(STEPS)]
    assert [re.sub(r"^spots \d+$", "spots", line) for line in first] == STEPS, output
    assert [re.sub(r"^spots \d+$", "spots", line) for line in second] == [*STEPS[:-1], "done"], output
    counts = [int(count) for count in re.findall(r"^spots (\d+)$", output, re.MULTILINE)]
    assert counts[0] > 20 and counts[1] > 3, output


def test_the_python_package(python_client: Path, broker: tuple[int, int]) -> None:
    """Application, account, symbols, spots, past the idle cut-off, and back after a drop."""
    port, control = broker
    done = subprocess.run(
        [str(python_client), "-W", "ignore", str(HERE / "python_client.py"), str(port), str(control), "10"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    check(done.stdout)


def test_the_node_package(node_modules: Path, broker: tuple[int, int], tmp_path: Path) -> None:
    """The same; this one verifies the certificate, so it is given the authority."""
    port, control = broker
    environ = {**os.environ, "NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem"), "NODE_PATH": str(node_modules)}
    done = subprocess.run(
        ["node", str(HERE / "node_client.js"), str(port), str(control), "10"],
        capture_output=True,
        text=True,
        timeout=90,
        env=environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    check(done.stdout)
