"""What the tests of this folder run: the commands and programs of the documentation, as processes of their own.

A block is run as it is written but for its ports: `moved` puts free ones in the place of the usual ones, which may be
taken on the machine of the tests.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import Block
from tests.support.processes import PATIENCE_S, Process, Twistd, free_port, relay
from tickrelay.simulator.certificates import make_certificate

PYTHON = Path(sys.executable)
PATH = f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""What the documentation has installed is there already; pip need not wait for a network to find that out."""

DOM = """
const document = {getElementById: () => ({set textContent(text) { console.log(text); }})};
const prompt = () => process.env.TOKEN;
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    let closed = false;
    this.addEventListener("close", () => { closed = true; });
    this.addEventListener("error", () => setTimeout(() => {
      if (!closed) this.dispatchEvent(Object.assign(new Event("close"), {code: 1006, reason: ""}));
    }, 100));
  }
};
"""
"""As much of a browser as the pages of the documentation use, and the ``close`` event after a connection that could not
be made, which Node.js 20 leaves out.
"""


class Ports(dict[str, int]):
    """A free port in the place of each usual one."""

    def __missing__(self, usual: str) -> int:
        self[usual] = free_port()
        return self[usual]


def moved(text: str, ports: Ports) -> str:
    """The text with each port that the documentation uses moved; the simulator, which uses 5035 unless told, too."""
    text = re.sub(r"(?<=[:= ])(8080|5035|8035|9090|443)\b", lambda found: str(ports[found[1]]), text)
    return text.replace("ctrader-simulator", f"ctrader-simulator --port {ports['5035']}")


def needed(program: str) -> str:
    """The path of a program; skips the test on a machine that lacks it."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} on this machine")
    return path


class Shell(Process):
    """Commands in bash, which ends at the first that fails; all that they started is killed with it."""

    def __init__(
        self, commands: str, folder: Path, ports: Ports, env: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        with contextlib.suppress(FileExistsError):
            (folder / ".venv").symlink_to(sys.prefix)
        command = [needed("bash"), "-e", "-o", "pipefail", "-c", moved(commands, ports)]
        settings = {"PATH": PATH, "PYTHONUNBUFFERED": "1", "WS_PORT": str(ports["8080"]), **OFFLINE, **(env or {})}
        super().__init__("shell", command, folder, settings, start_new_session=True, **options)

    def kill(self) -> None:
        """End the whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def output_of(self, timeout_s: float = PATIENCE_S) -> str:
        """All that it printed, when it has ended well."""
        with self:
            assert self.ends(timeout_s) == 0, self.text()
            return self.text()


def program(block: Block, folder: Path, ports: Ports, **env: str) -> Process:
    """A Python program, or the script of a page in Node.js, as a process."""
    text = moved(block.text, ports)
    if block.language == "python":
        command = [sys.executable, "-u", "-c", text]
    else:
        (script,) = re.findall("<script>(.*)</script>", text, re.DOTALL)
        # Node.js 20 has the browsers' WebSocket behind a flag, which 22 still takes; 18 has none.
        node = [needed("node"), "--no-warnings", "--experimental-websocket", "-e"]
        if subprocess.run([*node, "new Event('close')"], capture_output=True).returncode:
            pytest.skip("Node.js is older than 20.10")
        command = [*node, DOM + script]
    return Process("program", command, folder, {"PYTHONUNBUFFERED": "1", **env})


def relay_before_its_broker(folder: Path, ports: Ports, **env: str) -> Twistd:
    """The relay with the simulator's account, whether the simulator runs or not; tries at least once a second.

    With the default waits, which double up to a minute, a broker that starts late would be found later still.
    """
    authority = folder / "ca.pem"
    if not authority.exists():  # the relay wants one at its start, and reads the simulator's as soon as that wrote it
        authority.write_bytes(make_certificate(["localhost"], time.time()).authority_pem)
    admin = f"tcp:{ports['9090']}:interface=127.0.0.1"
    return relay(PYTHON, folder, ports["5035"], ports["8080"], "--admin", admin, TICKRELAY_RETRY_MOST="1", **env)


def wait_for_clients(ports: Ports, timeout_s: float = PATIENCE_S) -> None:
    """Wait until the relay has a client."""
    deadline = time.monotonic() + timeout_s
    while True:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{ports['9090']}/metrics", timeout=5) as page,
        ):
            if re.search(r"^tickrelay_clients(\{.*\})? [1-9]", page.read().decode(), re.MULTILINE):
                return
        assert time.monotonic() < deadline, f"no client within {timeout_s} s"
        time.sleep(0.2)
