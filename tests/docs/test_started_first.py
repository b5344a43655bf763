"""Every client that the documentation shows can be started before the relay is connected to cTrader, and gets ticks."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import block
from tests.docs.running import Ports, Shell, program, relay_before_its_broker, wait_for_clients

pytestmark = pytest.mark.integration

BROKER = "twistd --nodaemon --pidfile= ctrader-simulator --ca-file ca.pem"
TICK = r"(EURUSD|BTCUSD)\W+\d+\.\d+"


@pytest.fixture
def ports() -> Ports:
    """Free ports for this test."""
    return Ports()


@pytest.mark.parametrize(("page", "beginning"), [("README.rst", "<pre"), ("README.rst", "import json")])
def test_started_before_the_relay(page: str, beginning: str, ports: Ports, tmp_path: Path) -> None:
    """The client, then the relay, then cTrader; and after a restart of the relay the client gets ticks again."""
    with program(block(page, beginning), tmp_path, ports) as client:
        with relay_before_its_broker(tmp_path, ports) as relay:
            wait_for_clients(ports)
            relay.wait_for("next try in")
            with Shell(BROKER, tmp_path, ports):
                client.wait_for(TICK)
        with Shell(BROKER, tmp_path, ports), relay_before_its_broker(tmp_path, ports):
            client.wait_for(TICK, times=len(re.findall(TICK, client.text())) + 1)


def test_the_interactive_client(ports: Ports, tmp_path: Path) -> None:
    """The README's two commands and two lines, the second typed when the first has led to ``connected``."""
    commands, lines = block("README.rst", ".venv/bin/pip"), block("README.rst", '{"type"').text
    connect, subscribe = lines.encode().splitlines(keepends=True)
    with relay_before_its_broker(tmp_path, ports) as relay:
        relay.wait_for("status ctrader-connecting")  # this client does not come back by itself
        with Shell(commands.text, tmp_path, ports, stdin=subprocess.PIPE, bufsize=0) as client:
            assert client.process.stdin is not None
            with client.process.stdin as typed:
                client.wait_for("Connected to")
                typed.write(connect)
                client.wait_for('"status":"ctrader-connecting"')
                with Shell(BROKER, tmp_path, ports):
                    client.wait_for('"status":"connected"')
                    typed.write(subscribe)
                    client.wait_for('"type":"tick","symbol":"EURUSD"')


@pytest.mark.parametrize("beginning", ["<pre", "import json"])
def test_with_a_token(beginning: str, ports: Ports, tmp_path: Path) -> None:
    """A token is made as written; page and program come in with it, before ``connected`` too, and not without."""
    page = "docs/howto.rst"
    made = Shell(block(page, "token=").text, tmp_path, ports).output_of()
    token = made.split()[-1]
    with relay_before_its_broker(tmp_path, ports, TICKRELAY_TOKENS_FILE="tokens") as relay:
        relay.wait_for("status ctrader-connecting")
        with program(block(page, beginning), tmp_path, ports, TOKEN="wrong") as stranger:
            stranger.wait_for("refused: |4501")
        with program(block(page, beginning), tmp_path, ports, TOKEN=token) as client:
            wait_for_clients(ports)
            with Shell(BROKER, tmp_path, ports):
                client.wait_for(TICK)
        assert token not in relay.text()
    Shell(block(page, "sed -i").text, tmp_path, ports).output_of()
    assert (tmp_path / "tokens").read_text() == ""
