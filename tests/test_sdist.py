"""The source distribution is the checkout: whoever unpacks it can run the tests, the benchmarks and the tools."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEFT_OUT = {
    ".ci/dist",
    ".ci/run",
    ".github/dependabot.yml",
    ".github/workflows/ci.yml",
    ".gitignore",
    ".pre-commit-config.yaml",
    "benchmarks/.gitignore",
}
"""Of use in a checkout only."""


def test_it_has_every_file_of_the_checkout(tmp_path: Path) -> None:
    """What git tracks, but for `LEFT_OUT`."""
    pytest.importorskip("build", reason="it is installed by make test")
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, check=True, text=True)
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    # A copy, since setuptools packs again whatever the SOURCES.txt of an earlier build names.
    for name in tracked:
        copy = tmp_path / "copy" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)

    command = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(tmp_path / "copy")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        packed = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert tracked - packed == LEFT_OUT
    assert {name for name in packed - tracked if ".egg-info/" not in name} == {"PKG-INFO"}
