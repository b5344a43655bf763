"""Tokens: where they come from, what is done without a right one."""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent

from tests.support.browser import LOST, Browser, Server
from tests.support.v1 import JSON
from tickrelay.downstream.tokens import Tokens, digest_of, load, offered
from tickrelay.model.errors import SettingError

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
    """The deadline of a connection that is gone does nothing."""
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


# The file.


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_file_may_have_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "tokens"
    path.write_text(f"{digest('a').hex()} Büro\n", encoding=encoding)
    assert load(str(path)).holds(digest_of("a"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_told_from_a_broken_one(tmp_path: Path, encoding: str) -> None:
    """PowerShell writes it; the message says what to do."""
    path = tmp_path / "tokens"
    path.write_text(f"{digest('a').hex()}\n", encoding=encoding)
    with pytest.raises(SettingError, match=r"TICKRELAY_TOKENS_FILE: save .* as UTF-8 \(it looks like UTF-16\)"):
        load(str(path))


def test_the_file_holds_digests(tmp_path: Path) -> None:
    """One a line, remarks and empty lines aside; several are valid at once, so that they can be changed."""
    path = tmp_path / "tokens"
    path.write_text(f"# frontends\n\n{digest('a').hex()} web\n{digest('b').hex().upper()}  # mobile\n")
    tokens = load(str(path))
    assert [tokens.holds(digest_of(token)) for token in ("a", "b", "c", "")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secret\n", "line 1 of .* must begin with the 64 hexadecimal digits"),
        ("# nothing\n", "has no digest in it"),
        (None, "does not exist"),
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


# The file changes.


@pytest.fixture
def path(tmp_path: Path, server: Server) -> Path:
    """The file that the relay's tokens were read from: ``plain`` and ``other``."""
    path = tmp_path / "tokens"
    write(path, "plain", "other")
    server.factory.tokens = load(str(path))
    return path


def write(path: Path, *tokens: str) -> None:
    """Replace the file, as an editor does."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"{digest(token).hex()}\n" for token in tokens))
    new.replace(path)


def bearer(server: Server, token: str) -> Browser:
    """A client with a token."""
    return server.browser(JSON, b"Authorization: Bearer " + token.encode())


def texts(logged: list[LogEvent], level: LogLevel) -> list[str]:
    """What was logged of the file at *level*."""
    texts = [formatEvent(event) for event in logged if event["log_level"] is level]
    return [text for text in texts if "okens" in text]


def test_tokens_follow_their_file(server: Server, path: Path, logged: list[LogEvent]) -> None:
    """A new one is valid a few seconds later; who came in by one that is gone is closed with 4501, others stay."""
    leaving, staying = bearer(server, "plain"), bearer(server, "other")
    assert bearer(server, "new").outcome()[-1] == 4501
    write(path, "other", "new")
    server.pass_time(3)
    ((_, close),) = leaving.frames()
    assert close == (4501).to_bytes(2, "big") + b"token revoked"
    assert staying.ask({"type": "ping"})["type"] == "pong"
    assert bearer(server, "new").ask({"type": "ping"})["type"] == "pong"
    assert bearer(server, "plain").outcome()[-1] == 4501
    assert texts(logged, LogLevel.info) == ["tokens read again: 2 valid, 1 revoked"]


@pytest.mark.parametrize("content", ["nonsense", "", None])
def test_a_bad_file_keeps_the_tokens(server: Server, path: Path, logged: list[LogEvent], content: str | None) -> None:
    """Broken, empty or missing: one line in the log, nobody is closed, and a good one is read when it comes."""
    client = bearer(server, "plain")
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    server.pass_time(15)
    assert client.ask({"type": "ping"})["type"] == "pong"
    assert bearer(server, "other").ask({"type": "ping"})["type"] == "pong"
    (line,) = texts(logged, LogLevel.error)
    assert "TICKRELAY_TOKENS_FILE" in line and "nonsense" not in line
    write(path, "other")
    server.pass_time(3)
    assert client.outcome() == [4501]


def test_a_file_in_the_middle_of_being_written_is_not_read(server: Server, path: Path) -> None:
    """It is read once it has not changed for a second: its missing part revokes nobody."""
    client = bearer(server, "plain")
    text = path.read_text()
    for size in range(70, len(text), 10):
        path.write_text(digest("other").hex() + "\n" + "#" * size)
        server.pass_time(1)
    assert client.ask({"type": "ping"})["type"] == "pong"


def test_a_file_that_is_only_touched_changes_nothing(server: Server, path: Path, logged: list[LogEvent]) -> None:
    """Nor does another order of its lines."""
    client = bearer(server, "plain")
    write(path, "other", "plain")
    server.pass_time(3)
    assert client.ask({"type": "ping"})["type"] == "pong"
    assert texts(logged, LogLevel.info) == []


@pytest.mark.parametrize("replace", [True, False], ids=["replaced", "written in place"])
def test_a_change_of_equal_size_and_time_is_seen(server: Server, path: Path, replace: bool) -> None:
    """What copies the modification time, such as ``rsync -t``, cannot hide a change: the inode's time tells."""
    status = path.stat()
    if replace:
        write(path, "other", "third")
    else:
        path.write_text(f"{digest('other').hex()}\n{digest('third').hex()}\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    server.pass_time(3)
    assert bearer(server, "plain").outcome()[-1] == 4501
    assert bearer(server, "third").ask({"type": "ping"})["type"] == "pong"


def test_a_file_that_does_not_change_is_not_read_again(
    server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at it costs a stat."""
    reads: list[Path] = []
    monkeypatch.setattr("tickrelay.downstream.tokens._read", lambda path: reads.append(path) or [])
    server.pass_time(5)
    assert reads == []


def test_many_are_closed_one_after_the_other(server: Server, path: Path) -> None:
    """A hundred a second: neither a long turn of the reactor nor a herd that comes back."""
    clients = [bearer(server, "plain") for _ in range(100)]
    write(path, "other")
    server.factory.each_second()
    server.factory.each_second()
    server.clock.advance(0.5)
    assert sum(client.outcome() == [4501] for client in clients) in range(45, 56)
    server.clock.advance(0.5)
    assert not any(client.transport.connected and not client.protocol.closedByMe for client in clients)
