"""The file of tokens: what may stand in it, and what the relay does when it changes."""

import hashlib
import os
from pathlib import Path

import pytest

from twisted.logger import LogEvent, LogLevel, formatEvent

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON
from tickrelay.downstream.tokens import digest_of, load
from tickrelay.model.errors import SettingError


def digest(token: str) -> bytes:
    """The SHA-256 of a token, which the file has in place of the token."""
    return hashlib.sha256(token.encode()).digest()


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
    """A new token is valid a few seconds later; clients of a removed one are closed with 4501, others stay."""
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
    """Broken, empty or missing: one line in the log, no client is closed, and a valid file is read when it comes."""
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
    """It is read once it has not changed for a second: a token in its missing part is not revoked."""
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
    """Each second costs a stat and no more."""

    def read(path: Path) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("tickrelay.downstream.tokens._read", read)
    server.pass_time(5)
    assert bearer(server, "plain").ask({"type": "ping"})["type"] == "pong"


def test_many_are_closed_one_after_the_other(server: Server, path: Path) -> None:
    """A hundred a second: no long turn of the reactor, and no herd that reconnects at once."""
    clients = [bearer(server, "plain") for _ in range(100)]
    write(path, "other")
    server.factory.jobs.run()
    server.factory.jobs.run()
    server.clock.advance(0.5)
    assert sum(client.outcome() == [4501] for client in clients) in range(45, 56)
    server.clock.advance(0.5)
    assert not any(client.transport.connected and not client.protocol.closedByMe for client in clients)
