"""The commands of the documentation, run as they are written."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.docs.pages import ROOT, block
from tests.docs.running import Ports, Shell, needed
from tests.support.processes import PATIENCE_S, Process
from tests.support.tls_line import tls_line
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.messages_pb2 import ProtoOASymbolsListRes
from tickrelay.recording import format

pytestmark = pytest.mark.integration

HOWTO = "docs/howto.rst"
ACCOUNT = {
    "CTRADER_CLIENT_ID": "sim",
    "CTRADER_CLIENT_SECRET": "sim-secret",
    "CTRADER_ACCESS_TOKEN": "sim-token",
    "CTRADER_ACCOUNT_ID": "1001",
    "CTRADER_HOST": "localhost",
    "CTRADER_CA_FILE": "ca.pem",
}


@pytest.fixture
def ports() -> Ports:
    """Free ports for this test."""
    return Ports()


@pytest.fixture
def broker(ports: Ports, tmp_path: Path) -> Shell:
    """The simulator of the how-to, with its control endpoint; entered by the test."""
    return Shell(block(HOWTO, "twistd --nodaemon --pidfile= ctrader").text, tmp_path, ports)


def first_tick(socket: ClientConnection) -> dict[str, object]:
    """Subscribe on a relay that is connected, and wait for a tick."""
    socket.send('{"type":"connect"}')
    assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == "connected"
    socket.send('{"type":"subscribe","symbols":["EURUSD","BTCUSD"]}')
    while True:
        message: dict[str, object] = json.loads(socket.recv(timeout=PATIENCE_S))
        if message["type"] == "tick":
            return message


def test_make_run(ports: Ports, tmp_path: Path) -> None:
    """In the foreground, with ticks, on any path, in the environment that ``make`` made before."""
    needed("make")
    if not Path(sys.prefix, ".installed").exists():
        pytest.skip("these tests do not run in an environment that make has made")
    commands = f"cd '{ROOT}'; {block('README.rst', 'make run').text}"
    with Shell(commands, tmp_path, ports, {"MAKEFLAGS": f"VENV={sys.prefix}"}) as run:
        run.wait_for("status connected")
        assert f"ws://localhost:{ports['8080']}/ (set by WS_PORT)" in run.text()
        for path in ("", "/", "/any/path?at=all"):
            with connect(f"ws://localhost:{ports['8080']}{path}") as socket:
                assert first_tick(socket)["bid"]


@pytest.mark.parametrize(
    ("page", "beginning"), [("README.rst", ".venv/bin/twistd"), ("docs/operations.rst", "twistd --nodaemon")]
)
def test_the_relay_with_an_account(page: str, beginning: str, broker: Shell, ports: Ports, tmp_path: Path) -> None:
    """With the five settings in ``.env``; the account is the simulator's."""
    with broker:
        broker.wait_for("cTrader simulator on")
        lines = [f"{name}={value}\n" for name, value in {**ACCOUNT, "CTRADER_PORT": str(ports["5035"])}.items()]
        (tmp_path / ".env").write_text("".join(lines))
        with Shell(block(page, beginning).text, tmp_path, ports) as relay:
            relay.wait_for("status connected")


def test_the_simulator_alone(ports: Ports, tmp_path: Path) -> None:
    """It starts and a program that verifies can connect; it is installed already, from the checkout."""
    install, start = block("docs/simulator.rst", "pip install").commands
    assert install == "pip install ."
    with Shell(start, tmp_path, ports) as simulator:
        simulator.wait_for("cTrader simulator on")
        needed("openssl")
        by_hand = block("docs/simulator.rst", "openssl").text
        shown = Shell(by_hand, tmp_path, ports, stdin=subprocess.DEVNULL).output_of()
        assert "Verify return code: 0 (ok)" in shown


def test_the_control_endpoint(broker: Shell, ports: Ports, tmp_path: Path) -> None:
    """Its three requests are answered: done, what is on, nothing is on."""
    needed("curl")
    with broker:
        broker.wait_for("cTrader simulator on")
        shown = Shell(block("docs/simulator.rst", "curl").text, tmp_path, ports).output_of()
    assert '"silent-ticks for 60s"' in shown and "known_faults" in shown
    assert re.search(r'"faults": \[\]\s+}\s*$', shown)


def test_faults_with_the_relay(broker: Shell, ports: Ports, tmp_path: Path) -> None:
    """Each request is understood, and the relay meets what it orders."""
    needed("curl")
    with broker:
        broker.wait_for("cTrader simulator on")
        env = {"TICKRELAY_RETRY_LEAST": "0.1"}
        with Shell(block(HOWTO, "export CTRADER_HOST").text, tmp_path, ports, env) as relay:
            relay.wait_for("live:")
            drop, maintenance, refuse, *rest = block(HOWTO, "curl").commands
            assert '"drop"' in Shell(drop, tmp_path, ports).output_of()
            relay.wait_for("live:", times=2)
            assert '"maintenance 20s' in Shell(maintenance, tmp_path, ports).output_of()
            relay.wait_for("SERVER_IS_UNDER_MAINTENANCE")
            assert '"refuse account-auth' in Shell(refuse, tmp_path, ports).output_of()
            shown = Shell("\n".join(rest), tmp_path, ports).output_of()
            assert '"faults": []' in shown
            assert '"status": ' in shown


def test_tokens_of_the_simulated_relay(ports: Ports, tmp_path: Path) -> None:
    """A relay with a file of digests starts; one without a digest says where it is missing."""
    (tmp_path / "tokens").write_text("# none yet\n")
    start = block(HOWTO, "TICKRELAY_TOKENS_FILE").text
    with Shell(start, tmp_path, ports) as refused:
        assert refused.ends() == 1
        assert "tokens has no digest in it" in refused.text()
    Shell(block(HOWTO, "token=").text, tmp_path, ports).output_of()
    with Shell(start, tmp_path, ports) as relay:
        relay.wait_for("status connected")


NGINX = """
daemon off; pid nginx.pid; error_log stderr notice; worker_processes 1; {user}
events {{ worker_connections 512; }}
http {{ access_log off;
client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
{server}
}}
"""


def test_behind_nginx(ports: Ports, tmp_path: Path) -> None:
    """Ticks come through it over TLS, on any path; one address has its 100 connections and no more."""
    nginx = needed("nginx")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "ticks.key", "-out", "ticks.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    server = block(HOWTO, "map $http").text.replace("/etc/ssl", str(tmp_path))
    server = server.replace("listen 443", f"listen {ports['443']}").replace(":8080", f":{ports['8080']}")
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(NGINX.format(server=server, user=user))
    trust = ssl.create_default_context(cafile=str(tmp_path / "ticks.pem"))
    relay_block = block(HOWTO, "twistd --nodaemon --pidfile= tickrelay --listen").text
    with ExitStack() as stack:
        simulated = relay_block.replace("tickrelay --", "tickrelay --simulate --")
        stack.enter_context(Shell(simulated, tmp_path, ports)).wait_for("status connected")
        command = [nginx, "-p", str(tmp_path), "-c", "nginx.conf"]
        server_process = stack.enter_context(Process("nginx", command, tmp_path))
        # Not killed: its worker would go on without it.
        stack.callback(server_process.process.wait, 10)
        stack.callback(server_process.process.terminate)  # is called first
        server_process.wait_for("start worker process ")

        def client() -> ClientConnection:
            # Of another address than the relay's trusted proxy, which has no limit.
            proxy = ("127.0.0.1", int(ports["443"]))
            own = socket.create_connection(proxy, timeout=30, source_address=("127.0.0.2", 0))
            return stack.enter_context(connect("ws://localhost/ticks/", sock=tls_line(trust, own)[0]))

        first, *_ = [client() for _ in range(100)]
        assert first_tick(first)["bid"]
        beyond = client()
        with pytest.raises(ConnectionClosed, match="1013"):
            beyond.recv(timeout=30)


def test_reading_a_recording(ports: Ports, tmp_path: Path) -> None:
    """The three pipelines, on a recording of the lines that the page shows and a symbol list."""
    needed("jq")
    page = "docs/capture.rst"
    shown = "".join(block(page, beginning).text for beginning in ('{"format"', '{"t"'))
    answer = ProtoOASymbolsListRes(ctidTraderAccountId=1001)
    frame = ProtoMessage(payloadType=answer.payloadType, payload=answer.SerializeToString()).SerializeToString()
    (tmp_path / "DIR").mkdir()
    _, line = format.record_line(frame, 1763900002.0)
    (tmp_path / "DIR" / "20251123T121320.000000Z.jsonl").write_bytes(shown.encode() + line)

    bids = Shell(block(page, "zcat -f DIR/*.jsonl* | jq -r 'select(.symbolId").text, tmp_path, ports).output_of()
    assert bids.split() == ["1763900001.5", "1.085"]
    counts = Shell(block(page, "zcat -f DIR/*.jsonl* | jq -r .type").text, tmp_path, ports).output_of()
    assert {"1 ProtoOASpotEvent", "1 ProtoOASymbolsListRes"} <= {line.strip() for line in counts.splitlines()}
    pytest.importorskip("grpc_tools", reason="its protoc is installed by make test")
    whole = block(page, "zcat -f DIR/*.jsonl* | jq -r 'select(.type").text
    protoc = 'protoc() { python -m grpc_tools.protoc "$@"; }\n'
    assert "1001" in Shell(protoc + whole, tmp_path, ports).output_of()
