"""Clients over TLS, where ticks go through the transport and not straight to the socket."""

import json
import socket
import time
from pathlib import Path

from websockets.sync.client import connect

from tests.support.certificates import LISTEN, make_certificate
from tests.support.processes import Twistd
from tests.support.tls_line import tls_line


def test_ticks_over_tls_and_a_client_that_stops_reading(wheel_python: Path, tmp_path: Path) -> None:
    """A TLS client gets ticks in order; one that stops reading comes back to fresh ones, and disturbs nobody."""
    trust = make_certificate(tmp_path)
    subscribe = {"type": "subscribe", "symbols": ["EURUSD", "XAUUSD", "BTCUSD", "USDJPY"]}
    with Twistd(
        wheel_python, tmp_path, "tickrelay", "--simulate", "--simulate-rate", "300", "--listen", LISTEN
    ) as service:
        port = int(service.wait_for(r"clients connect to wss://127.0.0.1:(\d+)/")[1])
        service.wait_for("status connected")
        url = "ws://localhost/"
        v1 = ["tickrelay.v1.json"]
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        narrow.connect(("127.0.0.1", port))
        lines = [tls_line(trust, raw) for raw in (narrow, socket.create_connection(("127.0.0.1", port)))]
        assert [alpn for _, alpn in lines] == ["http/1.1"] * 2
        with (
            connect(url, sock=lines[0][0], subprotocols=v1, max_queue=1, close_timeout=0.5) as slow,  # type: ignore[arg-type]
            connect(url, sock=lines[1][0], subprotocols=v1, close_timeout=0.5) as quick,  # type: ignore[arg-type]
        ):
            for client in (slow, quick):
                client.send(json.dumps(subscribe))
            positions: dict[tuple[int, str], int] = {}

            def read(client: object, seconds: float) -> int:
                ends, conflated = time.monotonic() + seconds, 0
                while time.monotonic() < ends:
                    message = json.loads(client.recv(timeout=5))  # type: ignore[attr-defined]
                    if message["type"] != "tick" or message.get("snapshot"):
                        continue
                    key = (id(client), message["symbol"])
                    merged = message.get("conflated", 0)
                    if key in positions:
                        assert message["seq"] == positions[key] + 1 + merged
                    positions[key] = message["seq"]
                    conflated += merged
                return conflated

            # The slow one does not read at all until the quick one has seen enough to fill every buffer between.
            assert read(quick, 6.0) == 0
            assert read(slow, 2.0) > 0
        assert "Traceback" not in service.text()
