"""The JavaScript of docs/protocol.rst works as written: it is run by Node, and a relay takes what it makes."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.processes import PATIENCE_S, Twistd, free_port

TEXT = (Path(__file__).parent.parent.parent / "docs" / "protocol.rst").read_text(encoding="utf-8")
BLOCKS = re.findall(r"\.\. code-block:: javascript\n\n((?:   .*\n|\n)+)", TEXT)
TOKENS = ["plain", "???>>>~~~", "tökén €", "a", "ab", "abc"]
"""Base64 of the second has both characters that base64url replaces; of the others, each length of padding."""


def node(script: str, *arguments: str) -> str:
    """What Node prints."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no node")
    done = subprocess.run([program, "-e", script, "--", *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def snippet(word: str) -> str:
    """The one block that has the word in it."""
    (found,) = [block for block in BLOCKS if word in block]
    return found


def test_a_page_shows_its_token(wheel_python: Path, tmp_path: Path) -> None:
    """What the snippet hands to the browser's WebSocket opens the relay, whatever characters the token has."""
    stub = "class WebSocket { constructor(url, protocols) { this.offer = protocols; } }\n"
    run = "\nconsole.log(JSON.stringify(process.argv.slice(1).map((token) => connect('ws://x/', token).offer)));"
    offers: list[list[str]] = json.loads(node(stub + snippet("function connect") + run, *TOKENS))
    # What a browser's constructor takes (RFC 7230, token): anything else is a SyntaxError there.
    assert all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", item) for offer in offers for item in offer)
    digests = [hashlib.sha256(token.encode()).hexdigest() for token in TOKENS]
    (tmp_path / "tokens").write_text("\n".join(digests))
    ws_port = free_port()
    env = {"WS_PORT": str(ws_port), "TICKRELAY_TOKENS_FILE": str(tmp_path / "tokens")}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("status connected")
        for offer in offers:
            with connect(f"ws://127.0.0.1:{ws_port}/", subprotocols=[Subprotocol(item) for item in offer]) as socket:
                assert socket.subprotocol == "tickrelay.v1.json"
                socket.send('{"type":"connect","protocol":1}')
                assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == "connected"


@pytest.mark.parametrize(
    ("result", "seq"),
    [
        ({"seq": 845, "recovered": True, "replayed": 33, "fromSeq": 813}, 812),
        ({"seq": 845, "recovered": True, "replayed": 0}, 845),
        ({"seq": 845, "recovered": False, "replayed": 0}, 845),
        ({"seq": 1, "recovered": True, "replayed": 1, "fromSeq": 1}, 0),
        ({"seq": 0}, 0),
    ],
)
def test_the_position_after_a_result(result: dict[str, object], seq: int) -> None:
    """As the protocol's text says it."""
    run = "\nconsole.log(JSON.stringify(position(JSON.parse(process.argv[1]))));"
    found = json.loads(node(snippet("const position") + run, json.dumps({"epoch": "e1", **result})))
    assert found == {"epoch": "e1", "seq": seq}
