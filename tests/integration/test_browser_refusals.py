"""What the page in a browser learns when the relay refuses it: a close code and a reason, in Chromium and Firefox."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.processes import Twistd, free_port
from tests.support.web_page import serving

BROWSERS = {
    "chromium": ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir={}"),
    "firefox": ("firefox", "--headless", "--no-remote", "--profile", "{}"),
}

PAGE = """<script>
const attempt = ([url, protocols]) => new Promise((done) => {
  const socket = new WebSocket(url, protocols);
  socket.onclose = (event) => done([event.code, event.reason]);
  socket.onopen = () => setTimeout(() => done(["open", socket.protocol]), 1000);
});
(async () => {
  const seen = [];
  for (const one of ATTEMPTS) seen.push(await attempt(one));  // those that stay open do
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
})();
</script>"""


@contextmanager
def browsing(name: str, folder: Path, url: str) -> Iterator[None]:
    """A browser with a profile of its own that has opened a page."""
    command = [word.format(folder / "profile") for word in BROWSERS[name]]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    (folder / "profile").mkdir()
    env = {**os.environ, "HOME": str(folder)}
    process = subprocess.Popen(
        [*command, url], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.mark.parametrize("name", BROWSERS)
def test_a_page_learns_why_it_is_refused(wheel_python: Path, tmp_path: Path, name: str) -> None:
    """By the close code and the reason; none is a bare 1006."""
    guarded, narrow = free_port(), free_port()
    one_origin = {"WS_PORT": str(guarded), "TICKRELAY_ALLOWED_ORIGINS": "https://app.example.com"}
    one_client = {"WS_PORT": str(narrow), "TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS": "1"}
    attempts = [
        [f"ws://127.0.0.1:{guarded}/", []],
        [f"ws://127.0.0.1:{guarded}/", ["tickrelay.v1.json"]],
        [f"ws://127.0.0.1:{narrow}/", ["tickrelay.v1.jsn"]],
        [f"ws://127.0.0.1:{narrow}/", ["tickrelay.v1.json"]],
        [f"ws://127.0.0.1:{narrow}/", []],
    ]
    with ExitStack() as stack:
        for env in (one_origin, one_client):
            service = stack.enter_context(Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env))
            service.wait_for("status connected")
        page = PAGE.replace("ATTEMPTS", json.dumps(attempts))
        url, seen = stack.enter_context(serving(page.encode()))
        stack.enter_context(browsing(name, tmp_path, url))
        *refused, inside, beyond = seen.get(timeout=60)
    assert refused == [
        [4503, "origin not allowed"],
        [4503, "origin not allowed"],
        [4502, "subprotocol: expected tickrelay.v1.json or tickrelay.v1.protobuf"],
    ]
    assert inside == ["open", "tickrelay.v1.json"]
    assert beyond[0] == 1013 and beyond[1].startswith("retry in ")
