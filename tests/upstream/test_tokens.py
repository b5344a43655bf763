"""The token file: written completely or not at all, and never a reason not to start."""

import json
from pathlib import Path

import pytest

from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tickrelay.config.schema import Secret
from tickrelay.upstream.tokens import MAX_SEEN, TokenFileError, Tokens, TokenStore


def store(path: Path, access: str = "a", refresh: str = "r") -> TokenStore:
    """A store with configured tokens."""
    return TokenStore(Secret(access), Secret(refresh), str(path), TestClock(Clock(), lambda: 1000.0))


def test_without_a_file_the_configured_tokens_are_used(tmp_path: Path) -> None:
    """The tokens of the settings, with no known end."""
    tokens = store(tmp_path / "t").load()
    assert (tokens.access.reveal(), tokens.refresh.reveal(), tokens.expires_at_s) == ("a", "r", 0)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """A renewed pair comes back, also in another process."""
    store(tmp_path / "t").renewed("a2", "r2", 500)
    tokens = store(tmp_path / "t").load()
    assert (tokens.access.reveal(), tokens.refresh.reveal(), tokens.expires_at_s) == ("a2", "r2", 1500)


def test_new_configured_tokens_win_over_an_old_file(tmp_path: Path) -> None:
    """New tokens in the settings win over a pair that was renewed from the old ones."""
    store(tmp_path / "t").renewed("a2", "r2", 500)
    assert store(tmp_path / "t", access="fresh").load().access.reveal() == "fresh"


def test_a_file_of_another_program_wins(tmp_path: Path) -> None:
    """A file that does not name the configured tokens it was renewed from wins over the settings."""
    (tmp_path / "t").write_text('{"accessToken": "x"}')
    tokens = store(tmp_path / "t").load()
    assert tokens.access.reveal() == "x" and not tokens.refresh


@pytest.mark.parametrize("content", ["", "{", "[]", '{"accessToken": 5}', "{}", "\udcff"])
def test_a_broken_file_is_passed_over(tmp_path: Path, content: str) -> None:
    """It raises nothing; the configured tokens are used."""
    (tmp_path / "t").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert store(tmp_path / "t").load().access.reveal() == "a"


def test_a_pair_that_cannot_be_written_is_kept_in_memory_and_written_later(tmp_path: Path) -> None:
    """On a full disk the pair is used from memory, and saved as soon as that succeeds."""
    path = tmp_path / "d" / "t"
    kept = store(path)
    with pytest.raises(TokenFileError, match="cannot write the token file"):
        kept.renewed("a2", "r2", 500)
    assert kept.load().access.reveal() == "a2"
    path.parent.mkdir()
    assert kept.load().access.reveal() == "a2"
    assert json.loads(path.read_text())["accessToken"] == "a2"


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure before the rename the old file is unchanged and no temporary file is left."""
    kept = store(tmp_path / "t")
    kept.renewed("a2", "r2", 500)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(TokenFileError):
        kept.renewed("a3", "r3", 500)
    monkeypatch.undo()
    assert json.loads((tmp_path / "t").read_text())["accessToken"] == "a2"
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_without_a_path_tokens_live_in_memory() -> None:
    """No file configured: the renewed pair is used until the process ends."""
    kept = TokenStore(Secret("a"), Secret("r"), "", TestClock(Clock(), lambda: 1000.0))
    kept.prepare()
    kept.renewed("a2", "r2", 5)
    assert kept.load().access.reveal() == "a2"


def test_ends_soon() -> None:
    """Three days before the end; a token whose end is not known never ends soon."""
    day = 86_400
    assert Tokens(Secret("a"), Secret(""), 3 * day).ends_soon(1)
    assert not Tokens(Secret("a"), Secret(""), 3 * day).ends_soon(-1)
    assert not Tokens(Secret("a"), Secret("")).ends_soon(1e12)


def test_tokens_do_not_print() -> None:
    """The repr of a pair contains neither token."""
    assert "canary" not in repr(Tokens(Secret("canary"), Secret("canary")))


def test_a_bounded_number_of_tokens_is_kept_out_of_texts() -> None:
    """The newest, those in use among them; a server that renews them for ever does not fill the memory."""
    kept = TokenStore(Secret("a"), Secret("r"), "", TestClock(Clock(), lambda: 1000.0))
    kept.load()
    for number in range(500):
        kept.renewed(f"access-{number}", f"refresh-{number}", 500)
        kept.load()
    assert len(kept.seen) <= MAX_SEEN
    assert {"access-499", "refresh-499", "access-490", "refresh-490"} <= kept.seen.keys()
