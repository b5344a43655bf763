"""Where log lines are written."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from twisted.python.logfile import LogFile

from tickrelay.logs.targets import Descriptor, RotatingFile


@pytest.fixture
def target(tmp_path: Path) -> Iterator[RotatingFile]:
    """The file ``log``."""
    made = RotatingFile(str(tmp_path / "log"))
    yield made
    made._file.close()


def test_a_descriptor_gets_the_whole_line() -> None:
    """In its encoding, with escapes for what that does not have."""
    reader, number = os.pipe()
    try:
        Descriptor(number, "latin-1").write("price \u20ac \udc80\n")
        assert os.read(reader, 100) == b"price \\u20ac \\udc80\n"
    finally:
        os.close(reader)
        os.close(number)


def test_after_a_partial_write_the_rest_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that becomes full in the middle of a line leaves no half line that another one follows."""
    written = bytearray()
    room = [3, 0]

    def write(number: int, data: bytes) -> int:
        taken = room.pop(0) if room else len(data)
        if not taken:
            raise OSError(errno.ENOSPC, "full")
        written.extend(data[:taken])
        return taken

    monkeypatch.setattr(os, "write", write)
    target = Descriptor(1)
    with pytest.raises(OSError, match="full"):
        target.write("first\n")
    target.write("first\n")
    target.write("second\n")
    assert written == b"first\nsecond\n"


def test_a_file_is_rotated_when_it_is_asked_for(target: RotatingFile, tmp_path: Path) -> None:
    """The next line is the first of the new file."""
    target.write("a\n")
    target.rotate()
    target.write("b\n")
    target.write("c\n")
    assert (tmp_path / "log.1").read_text() == "a\n"
    assert (tmp_path / "log").read_text() == "b\nc\n"


def test_a_file_is_rotated_by_size_as_twistds_own(target: RotatingFile, tmp_path: Path) -> None:
    """At a million bytes."""
    for _ in range(1001):
        target.write("x" * 999 + "\n")
    assert (tmp_path / "log.1").stat().st_size == 1_000_000
    assert (tmp_path / "log").stat().st_size == 1000


def test_a_rotation_that_fails_is_no_end_of_the_log(
    target: RotatingFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twisted's file stays closed where the new one cannot be opened; here the next try opens one."""
    target.write("a\n")
    target.rotate()
    with monkeypatch.context() as patch:
        patch.setattr(LogFile, "_openFile", lambda self: exec("raise OSError(24, 'Too many open files')"))
        for _ in range(2):
            with pytest.raises(OSError, match="Too many"):
                target.write("b\n")
    target.write("b\n")
    assert (tmp_path / "log").read_text() == "b\n"
