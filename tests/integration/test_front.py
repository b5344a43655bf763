"""The clients' port with real sockets: HTTP and WebSocket side by side, unsound bytes, slow ones, floods, proxies."""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.certificates import LISTEN, make_certificate
from tests.support.frames import frame
from tests.support.processes import PATIENCE_S, Twistd
from tests.support.tls_line import tls_line

HANDSHAKE_S = 2
LIMIT = 60
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture(scope="module")
def port(wheel_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The clients' port of a relay with a simulator, which trusts a proxy at 127.0.0.2."""
    folder = tmp_path_factory.mktemp("front")
    words = ["--simulate", "--listen", "tcp:0:interface=127.0.0.1", "--trusted-proxies", "127.0.0.2"]
    words += ["--handshake-timeout", str(HANDSHAKE_S), "--max-connections-per-address", str(LIMIT)]
    with Twistd(wheel_python, folder, "tickrelay", *words) as service:
        found = int(service.wait_for(r"clients connect to ws://127.0.0.1:(\d+)/")[1])
        service.wait_for("status connected")
        yield found
        assert "Traceback" not in service.text()


def answer(port: int, data: bytes) -> bytes:
    """All that the relay answers raw bytes with, to the close."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as raw:
        raw.sendall(data)
        return everything(raw)


def everything(raw: socket.socket) -> bytes:
    """Read to the close; a reset is one."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while data := raw.recv(65_536):
            got += data
    return got


def ping(client: ClientConnection) -> float:
    """The seconds that the answer to a request took."""
    started = time.monotonic()
    client.send('{"type":"ping"}')
    while json.loads(client.recv(timeout=PATIENCE_S))["type"] != "pong":
        pass
    return time.monotonic() - started


def test_http_and_websocket_on_one_port(port: int) -> None:
    """Pages on a connection that is kept, and a WebSocket client meanwhile."""
    with connect(f"ws://127.0.0.1:{port}/") as client:
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        local: list[object] = []
        for method, path, status, body in (
            ("GET", "/healthz", 200, b"ok\n"), ("HEAD", "/healthz", 200, b""), ("GET", "/nothing", 404, b"not found\n"),
            ("POST", "/healthz", 405, b"method not allowed\n"), ("GET", "/healthz", 200, b"ok\n"),
        ):  # fmt: skip
            kept.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
            response = kept.getresponse()
            assert (response.status, response.read()) == (status, body)
            assert response.getheader("server") is None
            local.append(kept.sock.getsockname())
        assert len(set(local)) == 1
        kept.request("GET", "/")
        response = kept.getresponse()
        assert (response.status, response.getheader("upgrade")) == (426, "websocket")
        kept.close()
        assert ping(client) < PATIENCE_S


def test_curl(port: int) -> None:
    """The health page, and a body, whose refusal curl can read."""
    url = f"http://127.0.0.1:{port}/healthz"
    curl = ["curl", "--silent", "--show-error", "--max-time", "20"]
    try:
        assert subprocess.run([*curl, url], capture_output=True, check=True, timeout=30).stdout == b"ok\n"
    except FileNotFoundError:
        pytest.skip("there is no curl")
    done = subprocess.run(
        [*curl, "--data-binary", "@-", "--write-out", "%{http_code}", url],
        input=b"a" * 500_000, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert b"413" in done.stdout


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (UPGRADE + b"Origin: https://a.example\r\nOrigin: https://b.example\r\n\r\n", 400),
        (UPGRADE + b"Content-Length: 5\r\n\r\nGET /", 413),
        (UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (UPGRADE + b"X: a\x85Origin: https://b.example\r\n\r\n", 400),
        (UPGRADE + b" folded: x\r\n\r\n", 400),
        (UPGRADE + b"no colon\r\n\r\n", 400),
        (UPGRADE + b"blank : x\r\n\r\n", 400),
        (UPGRADE + b": x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\nHost: x\n\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\xff\xff not http\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000, 431),
        (b"GET /" + b"a" * 20_000, 414),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_unsound_bytes_have_a_status_and_the_connection_an_end(port: int, data: bytes, status: int) -> None:
    """One answer, without a word of what was sent."""
    started = time.monotonic()
    got = answer(port, data)
    assert got.startswith(f"HTTP/1.1 {status} ".encode())
    assert got.count(b"Connection: close") == 1
    assert b"example" not in got
    assert time.monotonic() - started < 10


def test_a_request_that_is_hidden_behind_another_is_not_answered(port: int) -> None:
    """A proxy that lets bodies pass would take its answer for that of somebody else's request."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for head in (b"Content-Length: %d" % len(hidden), b"Transfer-Encoding: chunked", b"Content-Length : 5"):
        got = answer(port, b"GET /nothing HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + hidden)
        assert got.count(b"HTTP/1.1 ") == 1 and b"ok\n" not in got


def test_slow_heads_are_cut_by_the_one_deadline(port: int) -> None:
    """Twenty at a time, with a byte now and then; an innocent client is served meanwhile."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(20)]
        client = stack.enter_context(connect(f"ws://127.0.0.1:{port}/"))
        started = time.monotonic()
        open_ones = list(slow)
        while open_ones and time.monotonic() - started < HANDSHAKE_S + 10:
            for raw in list(open_ones):
                raw.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    try:
                        raw.send(b"G")
                        if not raw.recv(1_000):
                            open_ones.remove(raw)
                    except ConnectionError:
                        open_ones.remove(raw)
            ping(client)
            time.sleep(0.05)
        assert not open_ones
        assert HANDSHAKE_S - 0.5 < time.monotonic() - started < HANDSHAKE_S + 8


def test_floods_behind_a_refusal_disturb_nobody(port: int) -> None:
    """Forty clients are refused with 4502 and send pongs as fast as they can: others are answered, and they are cut."""
    pongs = frame(b"", opcode=10) * 10_000
    ends = time.monotonic() + 15
    cut: list[float] = []

    def attack() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=15) as raw:
            raw.sendall(UPGRADE + b"Sec-WebSocket-Protocol: tickrelay.v9\r\n\r\n")
            started = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() < ends:
                    raw.sendall(pongs)
            cut.append(time.monotonic() - started)

    threads = [threading.Thread(target=attack) for _ in range(40)]
    with connect(f"ws://127.0.0.1:{port}/") as client:
        for thread in threads:
            thread.start()
        slowest = 0.0
        while any(thread.is_alive() for thread in threads):
            slowest = max(slowest, ping(client))
            time.sleep(0.01)
    for thread in threads:
        thread.join(20)
    assert len(cut) == 40 and max(cut) < 12
    assert slowest < 3


def test_a_trusted_proxy_tells_whose_connections_they_are(port: int) -> None:
    """Its clients have limits of their own; what others claim is ignored."""

    def client(stack: contextlib.ExitStack, source: str, forwarded: str) -> ClientConnection:
        raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0))
        headers = {"X-Forwarded-For": forwarded}
        return stack.enter_context(connect(f"ws://127.0.0.1:{port}/", sock=raw, additional_headers=headers))

    with contextlib.ExitStack() as stack:
        inside = [client(stack, "127.0.0.2", "6.6.6.6, 203.0.113.7") for _ in range(LIMIT)]
        with pytest.raises(ConnectionClosed) as closed:
            client(stack, "127.0.0.2", "203.0.113.7").recv(timeout=PATIENCE_S)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013
        for other in (client(stack, "127.0.0.2", "203.0.113.8"), client(stack, "127.0.0.3", "203.0.113.7"), inside[-1]):
            assert ping(other) < PATIENCE_S


def test_https_wss_and_alpn(wheel_python: Path, tmp_path: Path) -> None:
    """Over TLS too: pages, WebSocket, and the one protocol that both have."""
    trust = make_certificate(tmp_path)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", "--listen", LISTEN) as service:
        port = int(service.wait_for(r"clients connect to wss://127.0.0.1:(\d+)/")[1])
        kept = http.client.HTTPSConnection("localhost", port, context=trust, timeout=PATIENCE_S)
        for _ in range(2):
            kept.request("GET", "/healthz")
            response = kept.getresponse()
            assert (response.status, response.read()) == (200, b"ok\n")
        assert kept.sock.selected_alpn_protocol() == "http/1.1"
        line, _ = tls_line(trust, socket.create_connection(("127.0.0.1", port)))
        with connect("ws://localhost/", sock=line) as client:
            assert ping(client) < PATIENCE_S
        kept.sock.sendall(b"GET / HTTP/1.1\r\nbad\r\n\r\n")
        assert everything(kept.sock).startswith(b"HTTP/1.1 400 ")
        kept.close()
        assert "Traceback" not in service.text()


def test_a_unix_socket(wheel_python: Path, tmp_path: Path) -> None:
    """Its peers count as one, and the start says so; with ``unix`` trusted, as what the proxy tells."""
    for trusted in (False, True):
        path = tmp_path / f"socket-{trusted}"
        words = ["--simulate", "--listen", f"unix:{path}", "--max-connections-per-address", "1"]
        words += ["--trusted-proxies", "unix"] if trusted else []
        with Twistd(wheel_python, tmp_path, "tickrelay", *words) as service, contextlib.ExitStack() as stack:
            service.wait_for("status connected")
            assert ("clients of a UNIX socket count as one address" in service.text()) is not trusted
            answers = []
            for n in range(2):
                raw = stack.enter_context(socket.socket(socket.AF_UNIX))
                raw.settimeout(PATIENCE_S)
                raw.connect(str(path))
                raw.sendall(UPGRADE + b"X-Forwarded-For: 203.0.113.%d\r\n\r\n" % n + frame(b'{"type":"ping"}'))
                got = b""
                while b"pong" not in got and b"retry in" not in got:
                    got += raw.recv(1_000)
                answers.append(b"pong" in got)
            assert answers == [True, trusted]
            if not trusted:
                service.wait_for("sends X-Forwarded-For and is no trusted proxy")


def test_the_proxy_protocol(wheel_python: Path, tmp_path: Path) -> None:
    """The address that it tells has the limits; without its header nothing is answered."""
    words = ["--simulate", "--listen", "haproxy:tcp:0:interface=127.0.0.1", "--max-connections-per-address", "1"]
    with Twistd(wheel_python, tmp_path, "tickrelay", *words) as service, contextlib.ExitStack() as stack:
        port = int(service.wait_for(r"clients connect to ws://127.0.0.1:(\d+)/")[1])
        service.wait_for("status connected")
        answers = []
        for client in (b"203.0.113.1", b"203.0.113.2", b"203.0.113.1"):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
            raw.sendall(b"PROXY TCP4 " + client + b" 192.0.2.1 1111 80\r\n" + UPGRADE + b"\r\n")
            raw.sendall(frame(b'{"type":"ping"}'))
            got = b""
            while b"pong" not in got and b"retry in" not in got:
                got += raw.recv(1_000)
            answers.append(b"pong" in got)
        assert answers == [True, True, False]
        assert answer(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        assert "Traceback" not in service.text()
