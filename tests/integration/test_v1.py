"""Protocol v1 against real processes, through a WebSocket client that is not ours."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.checker import Checker
from tests.support.processes import PATIENCE_S, Twistd, free_port, relay, simulator
from tests.support.view import View
from tickrelay.wire import protobuf
from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.tickrelay_pb2 import ClientMessage

SYMBOLS = ["eur/usd", "XAU*", "BTCUSD"]
Message = dict[str, Any]


class Client:
    """A v1 client with a checker, which outlives its connections."""

    def __init__(self, port: int, subprotocol: str) -> None:
        self.checker = Checker()
        self._port = port
        self._subprotocol = subprotocol
        self.open()

    def open(self) -> None:
        """Connect, and subscribe from where the last connection ended."""
        self._connection = ExitStack()
        self._socket = self._connection.enter_context(
            connect(f"ws://127.0.0.1:{self._port}/", subprotocols=[Subprotocol(self._subprotocol)])
        )
        assert self._socket.subprotocol == self._subprotocol
        self._view = View()
        self.checker.opened()
        self.say(type="connect", protocol=1, features=["gap", "notice", "heartbeat"])
        self.say(type="subscribe", symbols=SYMBOLS, snapshot=True, resume=self.checker.resume())

    def close(self) -> None:
        """Go away."""
        self._connection.close()

    def say(self, **message: object) -> None:
        """Send a request in this client's encoding."""
        text = json.dumps(message)
        if not self._subprotocol.endswith("protobuf"):
            self._socket.send(text)
            return
        request = make_encodings("").v1_json.parse(text.encode(), False)
        fields = {field.json_name: field.name for field in ClientMessage.DESCRIPTOR.fields}
        envelope = ClientMessage()
        protobuf.fill(request, getattr(envelope, fields[str(message["type"])]))
        self._socket.send(envelope.SerializeToString())

    def until(self, wanted: Callable[[Message], bool], timeout_s: float = 20.0) -> list[Message]:
        """What it hears up to the first message for which *wanted* is true; all of it is checked."""
        heard: list[Message] = []
        deadline = time.monotonic() + timeout_s
        while not (heard and wanted(heard[-1])):
            data = self._socket.recv(timeout=max(0.01, deadline - time.monotonic()))
            binary = isinstance(data, bytes)
            heard.append(self._view.read(data if isinstance(data, bytes) else data.encode(), binary))
            self.checker.take(heard[-1])
        return heard

    def ticks(self, number: int) -> list[Message]:
        """What it hears up to so many more ticks."""
        target = self.checker.ticks + number
        return self.until(lambda _: self.checker.ticks >= target)


def test_v1_through_an_outage_and_a_reconnect(wheel_python: Path, tmp_path: Path) -> None:
    """In both encodings: every tick accounted for, the outage declared, what was missed replayed, symbols explained."""
    port, ws_port = free_port(), free_port()
    with ExitStack() as stack:
        broker = stack.enter_context(simulator(wheel_python, tmp_path, port, "--rate", "5"))
        service = stack.enter_context(relay(wheel_python, tmp_path, port, ws_port))
        service.wait_for("status connected")
        clients = [Client(ws_port, name) for name in ("tickrelay.v1.json", "tickrelay.v1.protobuf")]
        for client in clients:
            client.ticks(50)
            client.close()
        time.sleep(0.5)
        for client in clients:
            client.open()
            client.ticks(50)
            assert client.checker.recovered >= 3 and client.checker.replayed > 0
        broker.kill()
        for client in clients:
            client.until(lambda m: m.get("status") == "disconnected")
        stack.enter_context(simulator(wheel_python, tmp_path, port, "--rate", "5"))
        for client in clients:
            client.until(lambda m: m.get("status") == "connected")
            client.ticks(50)
            assert [len(gaps) for gaps in client.checker.gaps.values()] == [1] * len(client.checker.gaps)
            assert "EURUSD" in client.checker.gaps
            client.say(type="explain", symbol="EURUSD")
            (*_, answer) = client.until(lambda m: m["type"] == "explanation")
            assert answer["subscribed"] and answer["interest"] == 2 and answer["feed"]["state"] == "live"
            client.say(type="getSymbols")
            (*_, answer) = client.until(lambda m: m["type"] == "symbols")
            assert {"EURUSD", "XAUUSD"} <= {info["symbol"] for info in answer["symbols"] if info["description"]}
            assert client.checker.faults == []
        for client in clients:
            client.close()


def test_a_token_is_needed_where_a_file_is_set(wheel_python: Path, tmp_path: Path) -> None:
    """With it a client is served, without it, or once it is revoked, closed with 4501; the log never has the token."""
    token = "canary-client-token"
    (tmp_path / "tokens").write_text(hashlib.sha256(token.encode()).hexdigest() + " test\n")
    ws_port = free_port()
    env = {"WS_PORT": str(ws_port), "TICKRELAY_TOKENS_FILE": str(tmp_path / "tokens")}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("status connected")
        url = f"ws://127.0.0.1:{ws_port}/"
        encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        offers = [Subprotocol("tickrelay.v1.json"), Subprotocol(f"tickrelay.auth.{encoded}")]
        with connect(url, subprotocols=offers) as socket:
            assert socket.subprotocol == "tickrelay.v1.json"
            socket.send('{"type":"connect","protocol":1}')
            assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == "connected"
        with connect(url, additional_headers={"Authorization": "Bearer wrong"}) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=PATIENCE_S)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4501
        with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
            socket.ping().wait(10)
            (tmp_path / "tokens").write_text(hashlib.sha256(b"another").hexdigest() + "\n")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=PATIENCE_S)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4501
        assert token not in service.text() and encoded not in service.text()
