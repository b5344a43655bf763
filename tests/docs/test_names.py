"""What the documentation names between double backquotes exists: files, settings, flags, targets of make, modules."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import PAGES, ROOT, names
from tickrelay import config, simulator_tap, tap

FOREIGN = {"--nodaemon", "--pidfile", "--help", "--offline", "--version", "--json"}
"""Flags of twistd and of other programs."""

MADE = {"benchmarks/.cache", "tickrelay/openapi/*.proto"}
"""Made when it is needed; and a path below ``proto/``."""

FOLDERS = "benchmarks|deploy|docs|proto|tests|tickrelay|tools|twisted"


def flags() -> set[str]:
    """Of both plugins, and of the benchmarks."""
    known = set(FOREIGN)
    for options in (tap.Options(), simulator_tap.Options()):
        known |= {f"--{name.rstrip('=')}" for name in options.longOpt}
    for path in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8")))
    return known


def settings() -> set[str]:
    """The names of environment variables, and of the files that hold their values."""
    named = {field.metadata["env"] for field in config.settings()}
    return named | {f"{name}_FILE" for name in named}


def missing(name: str) -> Iterator[str]:
    """What a text names that there is not."""
    for path in re.findall(rf"^((?:{FOLDERS})/[\w./*-]*)$", name):
        if path not in MADE and not list(ROOT.glob(path.rstrip("/"))):
            yield path
    yield from set(re.findall(r"(?<![\w-])--[a-z][\w-]*", name)) - flags()
    yield from set(re.findall(r"\b(?:TICKRELAY|CTRADER)_[A-Z_]+\b", name)) - settings()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z]+)", name):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            yield f"make {target}"
    for module in re.findall(r"python -m ((?:benchmarks|tickrelay)[\w.]*)", name):
        if not (ROOT / f"{module.replace('.', '/')}.py").is_file():
            yield module


@pytest.mark.parametrize("page", PAGES)
def test_what_is_named_exists(page: str) -> None:
    """Each name of each page."""
    assert [(name, what) for name in names(page) for what in missing(name)] == []


def test_a_name_of_nothing_is_found() -> None:
    """The check is no empty promise."""
    wrong = "twistd tickrelay --no-such; TICKRELAY_NOTHING=1 make nothing; python -m benchmarks.nothing"
    assert set(missing(wrong)) == {"--no-such", "TICKRELAY_NOTHING", "make nothing", "benchmarks.nothing"}
    assert list(missing("docs/nothing.rst")) == ["docs/nothing.rst"]
