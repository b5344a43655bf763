"""What twistd would fail at after it has told the terminal that all is well is found before."""

import os
from pathlib import Path
from typing import Any

import pytest

from tickrelay.twistd_files import log_file, problems


def found(folder: Path, **config: Any) -> list[str]:
    """What is said of a daemon with this *config* and files of its own in *folder*."""
    return list(problems({"logfile": f"{folder}/log", "pidfile": f"{folder}/pid", "rundir": str(folder), **config}))


@pytest.mark.parametrize("nodaemon", [False, True])
def test_files_that_can_be_written(tmp_path: Path, nodaemon: bool) -> None:
    """Nothing is said, the log file is there as twistd will find it, and no pid file is left behind."""
    assert found(tmp_path, nodaemon=nodaemon) == []
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.parametrize("nodaemon", [False, True])
def test_each_that_cannot_is_named(tmp_path: Path, nodaemon: bool) -> None:
    """All at once, with the path and the reason."""
    nowhere = f"{tmp_path}/nowhere"
    assert found(tmp_path, nodaemon=nodaemon, logfile=f"{nowhere}/log", pidfile=f"{nowhere}/pid", rundir=nowhere) == [
        f"--logfile: cannot write {nowhere}/log: No such file or directory",
        f"--rundir: {nowhere} is no directory to change to",
        f"--pidfile: cannot write {nowhere}/pid: No such file or directory",
    ]
    assert found(tmp_path, nodaemon=nodaemon, logfile=str(tmp_path)) == [
        f"--logfile: cannot write {tmp_path}: Is a directory"
    ]


def test_the_default_log_file_counts_for_a_daemon_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the foreground the log goes to the terminal."""
    monkeypatch.chdir(tmp_path)
    assert log_file({"nodaemon": False}) == str(tmp_path / "twistd.log")
    assert [log_file(c) for c in ({"nodaemon": True}, {"syslog": True}, {"logger": "x"}, {"logfile": "-"})] == [""] * 4
    (tmp_path / "twistd.log").mkdir()
    assert found(tmp_path, logfile=None) == [f"--logfile: cannot write {tmp_path}/twistd.log: Is a directory"]


def test_a_daemon_cannot_log_to_standard_output(tmp_path: Path) -> None:
    """It has none; in the foreground - is the terminal."""
    assert found(tmp_path, logfile="-")[0].startswith("--logfile -: a daemon has no standard output")
    assert found(tmp_path, logfile="-", nodaemon=True) == []


def test_only_root_becomes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither --uid nor --chroot would work; --uid of oneself does."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert found(tmp_path, uid=1000) == []
    assert found(tmp_path, uid=1001) == ["--uid: only root may become another user, and this is user 1000"]
    assert [line.split(":")[0] for line in found(tmp_path, chroot=str(tmp_path))] == ["--chroot"]
