"""The documentation builds as a site, and what the texts for contributors point to is there."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(importlib.util.find_spec("autoapi") is None, reason="needs Sphinx: pip install -e '.[docs]'")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Every page is in the contents, every reference has its target, every docstring is valid."""
    # The dummy builder reads and resolves everything and writes nothing: half the time of html.
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-b", "dummy", "-d", tmp_path]
    done = subprocess.run([*command, ROOT / "docs", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["README.rst", "CONTRIBUTING.rst"])
def test_links_lead_to_files(page: str) -> None:
    """Links are relative, so that they hold on every code host and in every fork."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"(?:<|\]\()([^<>()\s]+)(?:>`_|\))", text)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_places_that_contributors_are_sent_to() -> None:
    """Each path that CONTRIBUTING.rst names is a module, a package or a file."""
    text = (ROOT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
    paths = set(re.findall(r"``(?:python )?((?:[\w-]+/)+[\w.-]*)``", text.replace("\n", " ")))
    assert len(paths) > 15
    for path in paths - {"build/docs", "dist/"}:
        found = [base / f"{path}{end}" for base in (ROOT, ROOT / "tickrelay") for end in ("", ".py")]
        assert any(place.exists() for place in found), path
