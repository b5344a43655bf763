"""docs/simulator.rst has every fault, rule, flag and request name, and no other."""

import dataclasses
import re
from pathlib import Path

from tickrelay.simulator.faults.faults import FAULTS
from tickrelay.simulator.faults.sustained import ALIASES
from tickrelay.simulator.settings import Rules
from tickrelay.simulator_tap import Options

TEXT = (Path(__file__).parent.parent.parent / "docs" / "simulator.rst").read_text()


def table(begin: str, end: str) -> set[str]:
    """The first words of the rows between two headings."""
    part = TEXT[TEXT.index(f"\n{begin}\n{'-' * len(begin)}\n") : TEXT.index(f"\n{end}\n{'-' * len(end)}\n")]
    return set(re.findall(r"^``(-*[\w-]+)", part, re.MULTILINE))


def test_every_fault() -> None:
    """Under its name."""
    assert table("Faults", "Recording and playing") == {*FAULTS, "clear"}


def test_every_rule() -> None:
    """Under its name."""
    assert table("Rules", "Faults") == {field.name for field in dataclasses.fields(Rules)}


def test_every_flag() -> None:
    """In a row of its own, or in that of another flag."""
    described = set(re.findall(r"``(--[\w-]+)", TEXT))
    flags = {f"--{name}" for name, *_ in Options.optParameters} | {"--rule", "--user", "--fault"}
    assert flags - described == set()
    assert table("Flags", "The market") <= flags


def test_every_request_name() -> None:
    """The short ones."""
    for alias in ALIASES:
        assert f"``{alias}``" in TEXT
