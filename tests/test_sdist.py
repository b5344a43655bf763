"""The source distribution is the checkout: whoever unpacks it can run the tests, the benchmarks and the tools."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEFT_OUT = {".ci/run", ".gitignore", "benchmarks/.gitignore"}
"""Of use in a checkout only."""


def test_it_has_every_file_of_the_checkout(tmp_path: Path) -> None:
    """What git tracks, but for `LEFT_OUT`; and besides what packaging adds nothing that git does not know."""
    pytest.importorskip("build", reason="it is installed by make test")
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")

    def git(*arguments: str) -> set[str]:
        command = ["git", "-C", str(ROOT), "ls-files", *arguments]
        return set(subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines())

    command = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        packed = {member.name.partition("/")[2] for member in archive if member.isfile()}
    tracked = {name for name in git() if (ROOT / name).exists()}
    assert tracked - packed == LEFT_OUT
    made = {name for name in packed if name in ("PKG-INFO", "setup.cfg") or ".egg-info/" in name}
    assert packed - made <= tracked | git("--others", "--exclude-standard")
