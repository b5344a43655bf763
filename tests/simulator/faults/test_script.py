"""The syntax of fault scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.errors import SettingError
from tickrelay.simulator.faults.faults import FAULTS, check
from tickrelay.simulator.faults.script import Statement, duration_s, parse


def test_a_script_in_one_line_or_many() -> None:
    """Semicolons and line ends separate, # comments, times and durations are read."""
    script = "at 30s: drop; at 1m: hang account-auth for 20s\n# a remark\nevery 5m: reset # again\n\nslow 250ms"
    assert parse(script) == [
        Statement("drop", at_s=30),
        Statement("hang", ("account-auth",), at_s=60, for_s=20),
        Statement("reset", at_s=300, every_s=300),
        Statement("slow", ("250ms",)),
    ]


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("1h", 3600), ("7", 7)])
def test_durations(text: str, seconds: float) -> None:
    """Numbers with a unit; a bare one counts seconds."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["at soon: drop", "at 5x: drop", "drop for ever", "at 5s:", "every 0s: drop"])
def test_what_makes_no_sense_is_shown(text: str) -> None:
    """The error quotes the statement that it refuses."""
    with pytest.raises(SettingError, match="fault script: '"):
        parse(f"drop; {text}")


@given(st.text(alphabet=st.sampled_from("at every for drop:;#\n 0123456789smh.")))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but SettingError ever comes out of a bad script."""
    try:
        parse(text)
    except SettingError:
        pass


@pytest.mark.parametrize("name", [*(fault.name for fault in FAULTS.values() if not fault.lasts), "clear"])
def test_a_fault_that_is_over_at_once_takes_no_duration(name: str) -> None:
    """``for`` would have no effect, so it is refused."""
    with pytest.raises(SettingError, match=f"^fault script: {name} for 5s: {name} is over at once"):
        check(f"{name} for 5s")


def test_which_faults_last() -> None:
    """The sustained faults are those of the documentation's second table."""
    assert {fault.name for fault in FAULTS.values() if fault.lasts} == {
        "deaf", "silent-ticks", "slow", "late", "reorder", "no-timestamps", "hang", "refuse", "rate-limit",
        "maintenance", "burst", "markets-closed", "no-connections", "slow-close",
    }  # fmt: skip
