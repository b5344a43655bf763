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

import pytest
from websockets.sync.client import connect

from tests.support.frontend import status_of, subscribed
from tests.support.processes import (
    PATIENCE_S,
    Twistd,
    free_port,
    relay,
    simulator,
)

CANARIES = {
    "CTRADER_CLIENT_SECRET": "canary-secret-8d1f",
    "CTRADER_ACCESS_TOKEN": "canary-token-77aa",
}


def test_a_wrong_certificate(wheel_python: Path, tmp_path: Path) -> None:
    """Another authority than the trusted one: never a credential sent, a line that says certificate, no tick."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port):
        own = tmp_path / "other.pem"
        with simulator(wheel_python, tmp_path, free_port(), "--ca-file", str(own)):
            pass
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_CA_FILE=str(own)) as service:
            service.wait_for("(?i)certificate")
            assert "certificate" in json.dumps(status_of(ws_port, "error")).lower()
            assert "Traceback" not in service.text()


@pytest.mark.parametrize("setting", ["CTRADER_CLIENT_SECRET", "CTRADER_ACCOUNT_ID"])
def test_what_the_broker_refuses_is_named_by_its_setting(wheel_python: Path, tmp_path: Path, setting: str) -> None:
    """The application's secret and the account: both the status and the log have the name."""
    port, ws_port = free_port(), free_port()
    with (
        simulator(wheel_python, tmp_path, port),
        relay(wheel_python, tmp_path, port, ws_port, **{setting: "424242"}) as service,
    ):
        service.wait_for("status ws-open")
        service.wait_for(setting)
        assert setting in status_of(ws_port, "error")["message"]


def test_a_garbage_client_frame(wheel_python: Path, tmp_path: Path) -> None:
    """One client's nonsense gets it an error or a close; another's ticks go on."""
    ws_port = free_port()
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env={"WS_PORT": str(ws_port)}) as service:
        service.wait_for("status connected")
        with subscribed(ws_port) as healthy:
            with connect(f"ws://127.0.0.1:{ws_port}/") as rude:
                rude.send("{garbage")
                assert json.loads(rude.recv(timeout=PATIENCE_S)) == {
                    "type": "error",
                    "message": "Invalid message format",
                }
                rude.send(b"\x00\xff")
                assert json.loads(rude.recv(timeout=PATIENCE_S))["type"] == "error"
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
    with simulator(wheel_python, tmp_path, port, *args):
        for change in ({}, {"CTRADER_CLIENT_ID": "wrong"}, {"CTRADER_ACCOUNT_ID": "424242"}):
            env = CANARIES | change | {"TICKRELAY_LOG_LEVEL": "debug"}
            with relay(wheel_python, tmp_path, port, ws_port, **env) as service:
                service.wait_for("status ws-open")
                with socket.create_connection(("127.0.0.1", ws_port)) as raw:
                    raw.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer canary-client-55\r\n\r\n")
                    assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")
                if change:
                    status_of(ws_port, "error")
                else:
                    service.wait_for("status connected")
                    with subscribed(ws_port):
                        pass
                service.stop()
                for canary in (*CANARIES.values(), "canary-client-55"):
                    assert canary not in service.text()
