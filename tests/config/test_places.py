"""Where the text of a setting comes from."""

from pathlib import Path

import pytest

from tickrelay.config.places import Places, read_text
from tickrelay.model.errors import SettingError


def test_the_strongest_place_wins() -> None:
    """Flag, environment, .env; an empty variable counts as not set, an empty flag does not."""
    places = Places({"a": "1", "b": None, "d": ""}, {"A": "2", "B": " 2 ", "C": ""}, {"A": "3", "B": "3", "C": "3"})
    assert places.find("A", "a") == ("1", "--a")
    assert places.find("B", "b") == ("2", "B")
    assert places.find("C") == ("3", "C in .env")
    assert places.find("D", "d") == ("", "--d")
    assert places.find("E") is None


def test_a_file_that_holds_the_value(tmp_path: Path) -> None:
    """NAME in the same place is stronger; white space at its ends does not count."""
    (tmp_path / "s").write_text(" x \n")
    named = {"A_FILE": str(tmp_path / "s")}
    assert Places({}, named, {"A": "3"}).find("A") == ("x", "A_FILE")
    assert Places({}, {**named, "A": "2"}, {}).find("A") == ("2", "A")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x".encode("utf-16"), r"save .*f as UTF-8 \(it looks like UTF-16\)$"),
        ("x".encode("utf-16-le"), r"save .*f as UTF-8 \(it looks like UTF-16\)$"),
        (b"\xe9", "save .*f as UTF-8$"),
    ],
)
def test_a_file_that_is_no_utf8(tmp_path: Path, content: bytes, said: str) -> None:
    """What to do, without what the file holds."""
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(SettingError, match=rf"^--x: {said}"):
        read_text(str(tmp_path / "f"), "--x")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named with the reason."""
    with pytest.raises(SettingError, match=r"^--x: /nowhere/f does not exist$"):
        read_text("/nowhere/f", "--x")
    with pytest.raises(SettingError, match=r"^--x: cannot read .*: Is a directory$"):
        read_text(str(tmp_path), "--x")
    with pytest.raises(SettingError, match=r"^--x: ~no-such-user/f names the home directory of a user that does not"):
        read_text("~no-such-user/f", "--x")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Windows editors write one."""
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfx")
    assert read_text(str(tmp_path / "f"), "--x") == "x"
