"""Tokens: where they come from, what is done without a right one."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.clients.fakes import LOST, Browser, Server
from tests.clients.v1 import JSON
from tickrelay.clients.tokens import Tokens, load, offered
from tickrelay.errors import SettingError

TOKEN = "canary-tökén"
ENCODED = base64.urlsafe_b64encode(TOKEN.encode()).rstrip(b"=")


def digest(token: str) -> bytes:
    """What the file keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, where one of two tokens is needed."""
    server = Server(clock)
    server.factory.tokens = Tokens([digest("plain"), digest(TOKEN)])
    server.go_live()
    return server


def outcome(browser: Browser) -> list[Any]:
    """What came: messages, and the codes of close frames."""
    return [int.from_bytes(data[:2], "big") if op == 8 else json.loads(data) for op, data in browser.frames()]


# In the opening request.


@pytest.mark.parametrize(
    "line",
    [
        b"Sec-WebSocket-Protocol: tickrelay.v1.json, tickrelay.auth." + ENCODED,
        b"Authorization: bearer plain",
        b"Sec-WebSocket-Protocol: tickrelay.auth." + ENCODED + b", tickrelay.v1.json",
    ],
)
def test_a_token_in_the_opening_request(server: Server, line: bytes) -> None:
    """As a subprotocol item or in the Authorization header; no word of it comes back."""
    client = server.browser(line)
    assert ENCODED not in client.head and b"plain" not in client.head
    assert client.ask({"type": "subscribe", "symbols": ["EURUSD"]})["type"] == "subscribeResponse"


@pytest.mark.parametrize(
    "line",
    [
        b"Sec-WebSocket-Protocol: tickrelay.v1.json, tickrelay.auth.d3Jvbmc",
        b"Sec-WebSocket-Protocol: tickrelay.v1.json, tickrelay.auth.%%%",
        b"Authorization: Bearer wrong",
        b"Authorization: Basic " + ENCODED,
    ],
)
def test_a_wrong_token_closes_with_4501(server: Server, line: bytes) -> None:
    """The connection opens, so that even a browser learns the code, and is closed at once."""
    client = server.browser(line)
    assert outcome(client)[-1] == 4501
    server.spot(1, 100_000, 100_010)
    assert outcome(client) == []


def test_nothing_offered_is_not_a_wrong_token() -> None:
    """It may come in ``connect`` yet."""
    assert offered(["tickrelay.v1.json"], "") is None


# In connect.


@pytest.mark.parametrize("lines", [(JSON,), ()], ids=["v1", "basic"])
def test_a_token_in_connect(server: Server, lines: tuple[bytes, ...]) -> None:
    """The first request brings it, in either protocol; then all is as usual."""
    client = server.browser(*lines)
    assert client.ask({"type": "connect", "token": TOKEN})["status"] == "connected"
    server.clock.advance(11)
    assert client.ask({"type": "ping"})["type"] == "pong"


def refusal(why: str) -> dict[str, Any]:
    """What a v1 client is told before the close."""
    return {"type": "error", "id": "c", "code": "UNAUTHORIZED", "message": f"Token {why}", "fatal": True}


def connect_v1(client: Browser) -> None:
    """Ask for v1 without a token."""
    client.say({"type": "connect", "protocol": 1, "id": "c"})


@pytest.mark.parametrize(
    "first",
    [
        connect_v1,
        lambda c: c.say({"type": "connect", "protocol": 1, "token": "wrong", "id": "c"}),
        lambda c: c.say({"type": "connect", "token": "wrong"}),
        lambda c: c.say({"type": "subscribe", "symbols": ["EURUSD"]}),
        lambda c: c.say({"type": "ping"}),
    ],
)
def test_the_first_request_must_bring_it(server: Server, first: Callable[[Browser], None]) -> None:
    """Whatever else comes first closes with 4501, and a v1 client is told; nothing is subscribed."""
    client = server.browser()
    first(client)
    *said, code = outcome(client)
    assert code == 4501
    assert said in ([], [refusal("expected")], [refusal("refused")])
    assert server.feed.wanted == []


def test_a_token_must_come_in_time(server: Server) -> None:
    """Ten seconds, then 4501; until then the client is told nothing."""
    client = server.browser(JSON)
    server.hub.status_changed(LOST)
    server.clock.advance(9.9)
    assert outcome(client) == []
    server.clock.advance(0.2)
    assert outcome(client) == [4501]


def test_who_left_is_not_waited_for(server: Server) -> None:
    """The deadline of a connection that is gone does nothing."""
    client = server.browser(JSON)
    client.vanish()
    server.clock.advance(11)


# The file.


def test_the_file_holds_digests(tmp_path: Path) -> None:
    """One a line, remarks and empty lines aside; several are valid at once, so that they can be changed."""
    path = tmp_path / "tokens"
    path.write_text(f"# frontends\n\n{digest('a').hex()} web\n{digest('b').hex().upper()}  # mobile\n")
    tokens = load(str(path))
    assert [tokens.allow(token) for token in ("a", "b", "c", "")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secret\n", "line 1 of .* must begin with the 64 hexadecimal digits"),
        ("# nothing\n", "has no digest in it"),
        (None, "cannot read"),
    ],
)
def test_a_bad_file_is_a_setting_error(tmp_path: Path, text: str | None, said: str) -> None:
    """The error names the setting and the line, and not what stands there, which may be a token by mistake."""
    path = tmp_path / "tokens"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingError, match=f"TICKRELAY_TOKENS_FILE: .*{said}") as caught:
        load(str(path))
    assert "secret" not in str(caught.value)
