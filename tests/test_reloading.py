"""Settings that are read again while the relay runs."""

from pathlib import Path
from typing import Any

import pytest

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent

from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.config.settings import Config
from tickrelay.downstream.tokens import digest_of
from tickrelay.model.errors import SettingError
from tickrelay.reloading import compare
from tickrelay.service import RelayService
from tickrelay.tap import Options

ACCOUNT = {
    "CTRADER_CLIENT_ID": "a",
    "CTRADER_CLIENT_SECRET": "canary-secret",
    "CTRADER_ACCESS_TOKEN": "canary-token",
    "CTRADER_ACCOUNT_ID": "1",
}


def config(**environ: Any) -> Config:
    """The settings of an environment with an account."""
    return settings.load(Places({}, {**ACCOUNT, **{name: str(value) for name, value in environ.items()}}, {}))


def test_nothing_has_changed() -> None:
    """And that is what is said."""
    change = compare(config(), config())
    assert change.config == config() and str(change) == "nothing changed"


def test_limits_are_used_and_the_rest_is_named() -> None:
    """By the environment names, without values: some are secret."""
    old = config(TICKRELAY_LISTEN="tcp:1", TICKRELAY_MAX_SYMBOLS=7)
    new = config(
        TICKRELAY_LISTEN="tcp:2",
        TICKRELAY_ADMIN="tcp:3",
        TICKRELAY_MAX_SYMBOLS=8,
        TICKRELAY_REPLAY=5,
        TICKRELAY_LOG_LEVEL="warn",
        TICKRELAY_HEARTBEAT=5,
        CTRADER_ACCESS_TOKEN="canary-other",
    )
    change = compare(old, new)
    assert str(change) == (
        "TICKRELAY_MAX_SYMBOLS, TICKRELAY_REPLAY, TICKRELAY_LOG_LEVEL changed; needs a restart: "
        "CTRADER_ACCESS_TOKEN, TICKRELAY_HEARTBEAT, TICKRELAY_LISTEN, TICKRELAY_ADMIN"
    )
    used = change.config
    assert (used.clients.listen, used.clients.admin, used.clients.max_symbols) == ("tcp:1", "", 8)
    assert (used.ctrader, used.sources) == (old.ctrader, old.sources)
    assert (used.relay.replay_ticks, used.log.levels) == (5, "warn")
    assert compare(used, new).needs_restart == change.needs_restart, "it is said each time, until the restart"


def test_the_relay_uses_what_was_read(tmp_path: Path, logged: list[LogEvent]) -> None:
    """Clients' side and fan-out alike; one line says what changed."""
    tokens = tmp_path / "tokens"
    tokens.write_text(digest_of("a").hex())
    relay = RelayService(config(), MemoryReactorClock())
    relay.reload(config(TICKRELAY_TOKENS_FILE=tokens, TICKRELAY_STUCK_TIMEOUT=9, TICKRELAY_MAX_SYMBOLS=3))
    context = relay._factory.context
    assert context.settings.max_symbols == 3 and context.tokens is not None
    assert relay.hub.settings.stuck_timeout_s == relay.hub.fanout.settings.stuck_timeout_s == 9.0
    (event,) = logged
    changed = "TICKRELAY_MAX_SYMBOLS, TICKRELAY_TOKENS_FILE, TICKRELAY_STUCK_TIMEOUT changed"
    assert formatEvent(event) == f"settings read again: {changed}"


def test_a_bad_tokens_file_changes_nothing(tmp_path: Path, logged: list[LogEvent]) -> None:
    """Not the other settings either."""
    tokens = tmp_path / "tokens"
    tokens.write_text("nonsense")
    relay = RelayService(config(), MemoryReactorClock())
    with pytest.raises(SettingError, match="TICKRELAY_TOKENS_FILE"):
        relay.reload(config(TICKRELAY_TOKENS_FILE=tokens, TICKRELAY_MAX_SYMBOLS=3))
    assert relay._factory.context.settings.max_symbols == 200 and relay._factory.context.tokens is None
    assert not logged


def test_files_are_read_again_from_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line stays; relative paths count from the start's directory, wherever twistd has changed to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("TICKRELAY_MAX_SYMBOLS_FILE=limit\nTICKRELAY_TOKENS_FILE=tokens\n")
    (tmp_path / "limit").write_text("5")
    options = Options()
    options.parseOptions(["--simulate", "--max-connections", "7"])
    (tmp_path / "limit").write_text("6")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    clients = options.load_again().clients
    assert (clients.max_symbols, clients.max_connections) == (6, 7)
    assert clients.tokens_file == str(tmp_path / "tokens")
    assert Path.cwd() == tmp_path / "elsewhere"
    (tmp_path / "limit").write_text("many")
    with pytest.raises(SettingError, match=r"TICKRELAY_MAX_SYMBOLS_FILE in .env must be a whole number"):
        options.load_again()


def test_a_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --chroot, for one: a line, as for any other problem."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    options = Options()
    options.parseOptions(["--simulate"])
    monkeypatch.chdir(tmp_path)
    folder.rmdir()
    with pytest.raises(SettingError, match=r"cannot change to .*gone: No such file"):
        options.load_again()
