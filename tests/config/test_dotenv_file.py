"""The file .env: every line counts, or is told."""

from pathlib import Path

import pytest

from tickrelay.config.dotenv_file import read_dotenv
from tickrelay.model.errors import SettingError


def read(folder: Path, text: str) -> dict[str, str | None]:
    """The variables of a file with this text, where names that begin with OUR_ are ours."""
    (folder / ".env").write_text(text)
    return read_dotenv(str(folder / ".env"), lambda name: name.startswith("OUR_"))


def test_what_dotenv_files_have(tmp_path: Path) -> None:
    """Comments, quotes, export, an empty value, another program's name; $ is a character."""
    text = "# OUR_C\n\nOUR_A=1 # one\nexport OUR_B='a b'\nOUR_D=\nTHEIRS=2\nOUR_E=$x\n"
    assert read(tmp_path, text) == {"OUR_A": "1", "OUR_B": "a b", "OUR_D": "", "THEIRS": "2", "OUR_E": "$x"}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("OUR_TOKENS tokens", "OUR_TOKENS"),
        ("OUR_ORIGINS: x", "OUR_ORIGINS"),
        ("OUR_MAX", "OUR_MAX"),
        ("export OUR_MAX", "OUR_MAX"),
        ('OUR_A="canary', "OUR_A"),
        ("canary canary", "NAME"),
        ("canary", "NAME"),
        ("sk-live.canary", "NAME"),
        ("=canary", "NAME"),
    ],
)
def test_a_line_that_would_be_lost_is_named(tmp_path: Path, line: str, shown: str) -> None:
    """By file, number and name; the rest of the line is not shown, since it may be a secret."""
    with pytest.raises(SettingError) as raised:
        read(tmp_path, f"OUR_B=1\n\n\n{line}\n")
    wanted = f"{tmp_path}/.env, line 4: cannot be read: write {shown}=VALUE, a value with blanks in quotes"
    assert raised.value.problems == (wanted,)


def test_all_such_lines_are_told_at_once(tmp_path: Path) -> None:
    """In their order."""
    with pytest.raises(SettingError) as raised:
        read(tmp_path, "OUR_A\nOUR_B=1\nOUR_C: 2\n")
    assert [problem.split(", ")[1].split(":")[0] for problem in raised.value.problems] == ["line 1", "line 3"]
