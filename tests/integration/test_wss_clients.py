"""Clients that people use connect over wss with a certificate that they trust, and get ticks: curl, Node, browsers.

Each offers ALPN. A client that is not on this machine is skipped by name. A browser opens a page of a small server
here, whose script connects to the relay and posts what it saw back.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from tests.support.processes import Twistd
from tests.support.web_page import serving

SCRIPT = Path(__file__).parent / "foreign" / "wss_ticks.js"
PAGE = b"<!doctype html><title>ticks</title><script>" + SCRIPT.read_bytes() + b"</script>"
"""Connects to the relay whose URL is the query, and posts what it saw."""

DEADLINE_S = 90.0
"""A browser's first start takes seconds, on a busy machine many."""

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

FIREFOX_PREFERENCES = """
user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
"""


def program(name: str) -> str:
    """The path of a program; skips the test where there is none."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed on this machine")
    return path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The ``wss`` URL of a relay with a simulated broker, and the PEM file of the authority that its clients trust."""
    folder = tmp_path_factory.mktemp("wss")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    pair = authority.issue_cert("localhost")
    pair.private_key_pem.write_to_path(folder / "key.pem")
    pair.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    listen = "ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"
    flags = ("--simulate", "--simulate-rate", "5", "--listen", listen)
    with Twistd(Path(sys.executable), folder, "tickrelay", *flags) as relay:
        port = relay.wait_for(r"clients connect to wss://127.0.0.1:(\d+)/")[1]
        relay.wait_for("status connected")
        yield f"wss://localhost:{port}/", folder / "ca.pem"
        assert "Traceback" not in relay.text()


@contextmanager
def running(command: Sequence[str], home: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program with a home directory of its own; it and all that it started are killed in the end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DISPLAY", "WAYLAND"))}
    process = subprocess.Popen(
        command, env={**environ, "HOME": str(home)}, stdin=subprocess.DEVNULL, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(10)


def check(outcome: dict[str, Any]) -> None:
    """Ticks of the subscribed symbols came, in the encoding asked for."""
    assert outcome.get("protocol") == "tickrelay.v1.json", outcome
    assert len(outcome["ticks"]) == 5
    assert {tick["symbol"] for tick in outcome["ticks"]} <= {"EURUSD", "BTCUSD"}
    assert all(tick["ask"] > 0 for tick in outcome["ticks"])


@pytest.mark.parametrize("offer", ["--http1.1", "--http2"])
def test_curl(secure: tuple[str, Path], tmp_path: Path, offer: str) -> None:
    """It offers http/1.1 alone or h2 as well; the upgrade is accepted and ticks follow."""
    url, authority = secure
    request = json.dumps({"type": "subscribe", "symbols": ["EURUSD", "BTCUSD"]}).encode()
    # A text frame as a client sends it, masked with zeros. Sent as the body, whose length is not announced, since no
    # handshake has one: curl of Debian 12 has no WebSocket.
    (tmp_path / "frame").write_bytes(bytes([0x81, 0x80 | len(request), 0, 0, 0, 0]) + request)
    lines = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Protocol: tickrelay.v1.json", "Content-Type:", "Content-Length:")  # fmt: skip
    command = [
        program("curl"), "--silent", "--show-error", "--no-buffer", "--include", "--max-time", "30", offer,
        "--cacert", str(authority), "--request", "GET", "--data-binary", f"@{tmp_path / 'frame'}",
        *(word for line in lines for word in ("--header", line)), url.replace("wss://", "https://"),
    ]  # fmt: skip
    with running(command, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as curl:
        assert curl.stdout is not None
        seen = b""
        while seen.count(b'"type":"tick"') < 5:
            more = os.read(curl.stdout.fileno(), 65_536)
            assert more, seen.decode(errors="replace")
            seen += more
        curl.stdout.close()
    assert seen.startswith(b"HTTP/1.1 101 ")


def test_node(secure: tuple[str, Path], tmp_path: Path) -> None:
    """Its own WebSocket, behind a flag before version 22."""
    url, authority = secure
    node = program("node")
    has_it = [node, "--experimental-websocket", "-p", "typeof WebSocket"]
    if subprocess.run(has_it, capture_output=True, timeout=30).stdout.strip() != b"function":
        pytest.skip("node is older than 20.10 and has no WebSocket")
    done = subprocess.run(
        [node, "--no-warnings", "--experimental-websocket", str(SCRIPT), url],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(authority), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    check(json.loads(done.stdout))


def trust(database: Path, authority: Path) -> None:
    """Make an NSS database that trusts the authority."""
    certutil = program("certutil")
    database.mkdir(parents=True, exist_ok=True)
    for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "tests", "-i", str(authority)]):
        subprocess.run([certutil, "-d", f"sql:{database}", *words], check=True, capture_output=True, timeout=60)


def chromium(home: Path, authority: Path, address: str) -> list[str]:
    """Chromium's command; it trusts what the user's NSS database does."""
    name = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), "chromium")
    command = program(name)
    trust(home / ".pki" / "nssdb", authority)
    return [
        command, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={home / 'profile'}", address,
    ]  # fmt: skip


def firefox(home: Path, authority: Path, address: str) -> list[str]:
    """Firefox's command; it trusts what its profile's NSS database does."""
    command = program("firefox-esr" if shutil.which("firefox-esr") else "firefox")
    profile = home / "profile"
    trust(profile, authority)
    (profile / "user.js").write_text(FIREFOX_PREFERENCES)
    return [command, "--headless", "--no-remote", "--profile", str(profile), address]


@pytest.mark.parametrize("browser", [chromium, firefox], ids=["chromium", "firefox"])
def test_a_page_in_a_browser(secure: tuple[str, Path], browser: Callable[[Path, Path, str], list[str]]) -> None:
    """Its script gets ticks, and the browser makes no exception for the certificate."""
    url, authority = secure
    # Not pytest's own folder, which is kept: a profile is megabytes.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, serving(PAGE) as (page, reports):
        address = f"{page}?{quote(url, safe='')}"
        home = Path(folder)
        output = home / "output"
        with output.open("wb") as file:
            with running(browser(home, authority, address), home, stdout=file, stderr=file):
                try:
                    outcome = reports.get(timeout=DEADLINE_S)
                except queue.Empty:
                    pytest.fail(f"no report within {DEADLINE_S} s: {output.read_text(errors='replace')[-3000:]}")
    check(outcome)
