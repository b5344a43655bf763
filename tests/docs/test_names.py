"""What the documentation names between double backquotes exists: files, settings, flags, targets of make, modules.

And what stands there as a command is taken by the program that it is for.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from twisted.scripts.twistd import ServerOptions

from tests.docs.pages import PAGES, ROOT, names
from tickrelay import simulator_tap, tap
from tickrelay.config import settings
from tickrelay.config.conversion import convert

FOREIGN = {"--help", "--offline"}
"""Flags of other programs."""

MADE = {"benchmarks/.cache", "tickrelay/openapi/*.proto"}
"""Made when it is needed; and a path below ``proto/``."""

FOLDERS = "benchmarks|deploy|docs|proto|tests|tickrelay|tools|twisted"

COMMAND = re.compile(r"(--[a-z]|twistd|NODE_|WS_PORT|python|systemd|SELECT|pandas|source|curl|npm|new )\S* \S")
"""A text that begins like a command, with something behind it. (Commands of make, and modules, are names.)"""

ELSEWHERE = {
    "WS_PORT=9001 make run": "run by test_commands.py::test_make_run",
    "NODE_EXTRA_CA_CERTS=ca.pem node client.js": "run by tests/integration/test_foreign_clients.py",
    "twistd tickrelay --check": "run by tests/integration/test_end_to_end.py; it exits",
    "twistd tickrelay --version": "run by tests/test_startup.py; it exits",
    "twistd ctrader-simulator --replay DIR": "run by tests/integration/test_record_replay.py; it wants a recording",
    "source .venv/bin/activate": "not run: of every virtual environment",
    "--listen ssl:443:privateKey=…:certKey=…": "run by tests/integration/test_wss.py",
    "systemd-analyze security --offline=true": "not run: needs systemd",
    "pandas.read_json(path, lines=True)": "not run: needs pandas",
    "SELECT symbolId, count(*) FROM read_json_auto('DIR/*.jsonl*', union_by_name = true) GROUP BY 1": "not run: DuckDB",
}
"""Commands that are not read here, and why."""


def flags() -> set[str]:
    """Of both plugins, of twistd, and of the benchmarks."""
    known = set(FOREIGN)
    for options in (tap.Options(), simulator_tap.Options(), ServerOptions()):
        known |= {f"--{name.rstrip('=')}" for name in options.longOpt}
    for path in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8")))
    return known


def missing(text: str) -> Iterator[str]:
    """What a text names that there is not."""
    for path in re.findall(rf"^((?:{FOLDERS})/[\w./*-]*)$", text):
        if path not in MADE and not list(ROOT.glob(path.rstrip("/"))):
            yield path
    yield from set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) - flags()
    known = {s.env: s.kind for s in settings.settings()}
    for setting, value in re.findall(r"\b((?:TICKRELAY|CTRADER)_[A-Z_]+\b)(?:=(\S+)$)?", text):
        if setting not in known and setting.removesuffix("_FILE") not in known:
            yield setting
        elif value:
            convert(known[setting], value, setting)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z]+)", text):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            yield f"make {target}"
    for module in re.findall(r"python -m ((?:benchmarks|tickrelay)[\w.]*)", text):
        if not (ROOT / f"{module.replace('.', '/')}.py").is_file():
            yield module


@pytest.mark.parametrize("page", PAGES)
def test_what_is_named_exists(page: str) -> None:
    """Each name of each page; and a setting that has a value there takes it."""
    assert [(name, what) for name in names(page) for what in missing(name)] == []


@pytest.mark.parametrize("path", [".env.example", "deploy/tickrelay.service"])
def test_what_a_file_sets_exists(path: str) -> None:
    """The files that are there to be copied."""
    assert list(missing((ROOT / path).read_text(encoding="utf-8"))) == []


def test_a_name_of_nothing_is_found() -> None:
    """The check is no empty promise."""
    wrong = "twistd tickrelay --no-such; TICKRELAY_NOTHING=1 make nothing; python -m benchmarks.nothing"
    assert set(missing(wrong)) == {"--no-such", "TICKRELAY_NOTHING", "make nothing", "benchmarks.nothing"}
    assert list(missing("docs/nothing.rst")) == ["docs/nothing.rst"]


def test_commands_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the plugin they are for; flags alone by one of the two. What is read elsewhere has its line above."""
    monkeypatch.chdir(tmp_path)
    commands = {name for page in PAGES for name in names(page) if COMMAND.match(name)}
    assert set(ELSEWHERE) <= commands
    for command in commands - set(ELSEWHERE):
        words = shlex.split(command)
        if words[:2] == ["python", "-m"]:
            continue  # a name
        if words[0] == "twistd":
            program, words = words[1], words[2:]
        else:
            simulators = {f"--{name.rstrip('=')}" for name in simulator_tap.Options().longOpt}
            program = "ctrader-simulator" if words[0] in simulators else "tickrelay"
        if program == "tickrelay":
            tap.Options().parseOptions(["--simulate", *(word for word in words if word != "--simulate")])
        else:
            simulator_tap.Options().parseOptions(words)
