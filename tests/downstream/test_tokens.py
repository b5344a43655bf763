"""Tokens in the opening request and in ``connect``, and what happens without a valid one."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.browser import LOST, Browser, Server
from tests.support.v1 import JSON
from tickrelay.downstream.tokens import Tokens, digest_of, offered

TOKEN = "canary-tökén"
ENCODED = base64.urlsafe_b64encode(TOKEN.encode()).rstrip(b"=")


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, where one of two tokens is needed."""
    server = Server(clock)
    server.factory.tokens = Tokens([digest_of("plain"), digest_of(TOKEN)])
    server.go_live()
    return server


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
    """As a subprotocol item or in the Authorization header; the answer does not contain it."""
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
    assert client.outcome()[-1] == 4501
    server.spot(1, 100_000, 100_010)
    assert client.outcome() == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"Sec-WebSocket-Protocol: tickrelay.v1.json, tickrelay.auth." + bad, fault)
        for bad, fault in (
            (b"%%%", "token malformed: expected base64url of its UTF-8 bytes, without padding"),
            (b"plain", "token malformed: expected base64url of its UTF-8 bytes, without padding"),
            (b"_w", "token malformed: expected base64url of its UTF-8 bytes, without padding"),
            (b"d3Jvbmc", "token refused"),
            (b"", "token malformed: expected base64url of its UTF-8 bytes, without padding"),
        )
    ]
    + [
        (JSON + b"\r\nAuthorization: Basic " + ENCODED, "token malformed: expected Authorization: Bearer"),
        (JSON + b"\r\nAuthorization: Bearer ", "token malformed: expected Authorization: Bearer"),
    ],
)
def test_the_answer_says_what_was_wrong(server: Server, line: bytes, fault: str) -> None:
    """None shown, one that cannot be read, or one that is not valid: in the error and in the close reason."""
    (_, error), (_, close) = server.browser(line).frames()
    assert json.loads(error)["message"].lower() == fault.lower()
    assert close[2:].decode() == fault


def test_a_basic_client_is_told_by_the_close_reason(server: Server) -> None:
    """It gets no error that it does not know."""
    client = server.browser()
    client.say({"type": "ping"})
    ((_, close),) = client.frames()
    assert close == (4501).to_bytes(2, "big") + b"token expected"


def test_a_malformed_token_is_not_a_missing_one_in_v1(server: Server) -> None:
    """The request is answered and may be sent again; the close reason, where none follows, is what was wrong."""
    client = server.browser(JSON)
    assert client.ask({"type": "connect", "protocol": 1, "token": 5})["code"] == "BAD_REQUEST"
    server.clock.advance(11)
    ((_, close),) = client.frames()
    assert close == (4501).to_bytes(2, "big") + b"token malformed: expected string"


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
    *said, code = client.outcome()
    assert code == 4501
    assert said in ([], [refusal("expected")], [refusal("refused")])
    assert server.feed.wanted == []


def test_a_token_must_come_in_time(server: Server) -> None:
    """Ten seconds, then 4501; until then the client is told nothing."""
    client = server.browser(JSON)
    server.hub.status_changed(LOST)
    server.clock.advance(9.9)
    assert client.outcome() == []
    server.clock.advance(0.2)
    assert client.outcome() == [4501]


def test_who_left_is_not_waited_for(server: Server) -> None:
    """The deadline of a connection that is gone has no effect."""
    client = server.browser(JSON)
    client.vanish()
    server.clock.advance(11)


@pytest.mark.parametrize("lines", [(JSON,), ()], ids=["v1", "basic"])
@pytest.mark.parametrize("token", ["", 5, ["a"], {}])
def test_a_token_in_connect_that_is_no_text_is_malformed(
    server: Server, lines: tuple[bytes, ...], token: object
) -> None:
    """The reason says that one was shown; v1 answers what is not even a string with BAD_REQUEST."""
    client = server.browser(*lines)
    client.say({"type": "connect", "token": token})
    *said, last = client.frames()
    if lines and token != "":
        assert json.loads(last[1])["message"] == "token: expected string"
        return
    assert last == (8, (4501).to_bytes(2, "big") + b"token malformed: expected a string that is not empty")
    assert len(said) == len(lines)


def test_a_basic_client_needs_no_token_where_none_is_required(clock: Clock) -> None:
    """Then the field is one that basic does not know, and may be anything."""
    server = Server(clock)
    server.go_live()
    assert server.browser().ask({"type": "connect", "token": 5})["status"] == "connected"
