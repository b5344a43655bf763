"""The command line of the relay: where its settings file is, and that it is one."""

from pathlib import Path

import pytest

from tickrelay.tap import Options


def refusal(*words: str) -> str:
    """What the terminal is told."""
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--simulate", *words])
    return str(ended.value.code)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_settings_file_is_needed() -> None:
    """Everything may be in the environment."""
    Options().parseOptions(["--simulate"])


def test_a_settings_file_that_is_a_link_to_nowhere(folder: Path) -> None:
    """Somebody meant it to be read."""
    (folder / ".env").symlink_to("nowhere")
    assert refusal() == "tickrelay: --env-file: .env does not exist"


def test_an_empty_name_of_the_settings_file() -> None:
    """A shell variable that is not set, probably: .env is not read in its place."""
    assert refusal("--env-file", "") == "tickrelay: --env-file must name a file"


def test_a_line_without_an_equals_sign(folder: Path) -> None:
    """The relay would have started without tokens."""
    (folder / ".env").write_text("TICKRELAY_TOKENS_FILE tokens\nWS_PORT\n")
    assert refusal().splitlines() == [
        "tickrelay: .env, line 1: cannot be read: write TICKRELAY_TOKENS_FILE=VALUE, a value with blanks in quotes",
        "tickrelay: .env, line 2: cannot be read: write WS_PORT=VALUE, a value with blanks in quotes",
    ]
