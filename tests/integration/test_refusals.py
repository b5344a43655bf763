"""What goes wrong at the edges: a clear log line, the right status, everyone else unharmed, and no secret anywhere."""

import json
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.integration.processes import Twistd, free_port, relay, simulator
from tests.integration.test_end_to_end import subscribed

CANARIES = {
    "CTRADER_CLIENT_SECRET": "canary-secret-8d1f",
    "CTRADER_ACCESS_TOKEN": "canary-token-77aa",
}


def status_of(ws_port: int, wanted: str) -> dict[str, Any]:
    """Connect until the status is the one wanted; returns it."""
    with connect(f"ws://127.0.0.1:{ws_port}/", open_timeout=5) as frontend:
        frontend.send(json.dumps({"type": "connect"}))
        while True:
            message: dict[str, Any] = json.loads(frontend.recv(timeout=20))
            if message["type"] == "status" and message["status"] == wanted:
                return message


def test_a_wrong_certificate(wheel_python: Path, tmp_path: Path) -> None:
    """Another authority than the trusted one: never a credential sent, a line that says certificate, no tick."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port) as broker:
        broker.wait_for("cTrader simulator on")
        own = tmp_path / "other.pem"
        with simulator(wheel_python, tmp_path, free_port(), "--ca-file", str(own)) as other:
            other.wait_for("cTrader simulator on")
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_CA_FILE=str(own)) as service:
            service.wait_for("(?i)certificate")
            assert "certificate" in json.dumps(status_of(ws_port, "error")).lower()
            assert "Traceback" not in service.text()


def test_a_refused_client_secret(wheel_python: Path, tmp_path: Path) -> None:
    """The status says that the application's credentials are wrong, and the log too."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port) as broker:
        broker.wait_for("cTrader simulator on")
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_CLIENT_SECRET="wrong") as service:
            service.wait_for("CH_CLIENT_AUTH_FAILURE|CTRADER_CLIENT_SECRET")
            assert "CTRADER_CLIENT_SECRET" in status_of(ws_port, "error")["message"]


def test_an_unknown_account(wheel_python: Path, tmp_path: Path) -> None:
    """The status names the account setting."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port) as broker:
        broker.wait_for("cTrader simulator on")
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_ACCOUNT_ID="424242") as service:
            service.wait_for("status ws-open")
            assert "CTRADER_ACCOUNT_ID" in status_of(ws_port, "error")["message"]


def test_a_garbage_client_frame(wheel_python: Path, tmp_path: Path) -> None:
    """One client's nonsense gets it an error or a close; another's ticks go on."""
    ws_port = free_port()
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env={"WS_PORT": str(ws_port)}) as service:
        service.wait_for("status connected")
        with subscribed(ws_port) as healthy:
            with connect(f"ws://127.0.0.1:{ws_port}/") as rude:
                rude.send("{garbage")
                assert json.loads(rude.recv(timeout=5)) == {"type": "error", "message": "Invalid message format"}
                rude.send(b"\x00\xff")
                assert json.loads(rude.recv(timeout=5))["type"] == "error"
            with socket.create_connection(("127.0.0.1", ws_port)) as raw:
                raw.sendall(b"\x16\x03\x01\xff\xff not http\r\n\r\n")
                assert b"400" in raw.recv(1000)
            healthy.ticks_of(["EURUSD", "BTCUSD"])
        assert "Traceback" not in service.text()


@contextmanager
def rude_broker(folder: Path, port: int, answers: list[bytes]) -> Iterator[None]:
    """A TLS server with a certificate for localhost that answers anything with *answers*, one a connection."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "rude.key", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "rude.key")
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        for answer in answers:
            try:
                accepted, _ = listener.accept()
                with context.wrap_socket(accepted, server_side=True) as peer:
                    peer.recv(1000)
                    peer.sendall(answer)
                    while peer.recv(1000):
                        pass
            except OSError:
                if listener.fileno() < 0:
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_garbage_from_upstream(wheel_python: Path, tmp_path: Path) -> None:
    """Nonsense in a frame and an endless frame: a log line each, another connection, clients still served."""
    port, ws_port = free_port(), free_port()
    garbage = struct.pack("!I", 5) + b"\xff" * 5
    endless = struct.pack("!I", 2**31)
    with (
        rude_broker(tmp_path, port, [garbage, endless]),
        relay(wheel_python, tmp_path, port, ws_port, TICKRELAY_REQUEST_TIMEOUT="1") as service,
    ):
        service.wait_for("garbage from cTrader: a frame of 5 bytes", timeout_s=30)
        service.wait_for("a frame of 2147483648 bytes is announced", timeout_s=30)
        assert status_of(ws_port, "ctrader-connecting")["availableSymbols"] == []
        assert "Traceback" not in service.text()


def test_no_secret_is_ever_written(wheel_python: Path, tmp_path: Path) -> None:
    """At debug level, through a whole session and through refusals, no output holds a secret."""
    port, ws_port = free_port(), free_port()
    args = ["--client-secret", CANARIES["CTRADER_CLIENT_SECRET"], "--access-token", CANARIES["CTRADER_ACCESS_TOKEN"]]
    with simulator(wheel_python, tmp_path, port, *args) as broker:
        broker.wait_for("cTrader simulator on")
        for change in ({}, {"CTRADER_CLIENT_ID": "wrong"}, {"CTRADER_ACCOUNT_ID": "424242"}):
            with relay(wheel_python, tmp_path, port, ws_port, **(CANARIES | change)) as service:
                service.wait_for("status ws-open")
                with socket.create_connection(("127.0.0.1", ws_port)) as raw:
                    raw.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer canary-client-55\r\n\r\n")
                    raw.recv(1000)
                service.wait_for("#debug]")
                if change:
                    status_of(ws_port, "error")
                else:
                    service.wait_for("status connected")
                    with subscribed(ws_port):
                        pass
                service.stop()
                for canary in (*CANARIES.values(), "canary-client-55"):
                    assert canary not in service.text()
