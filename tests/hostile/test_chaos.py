"""The chaos run, a minute of it; an hour by hand: ``python -m tests.hostile.chaos --seconds 3600``."""

from pathlib import Path

from tests.hostile.chaos import run
from tests.hostile.conftest import FULL


def test_a_minute_of_chaos(tmp_path: Path) -> None:
    """No tick jumps, no gap goes undeclared, no traceback is logged; descriptors and memory come back."""
    outcome = run(tmp_path, seconds=3600 if FULL else 60, seed=1)
    assert outcome.wrong() == []
    assert len(outcome.done) >= 10
    assert outcome.report["counts"]["gaps declared"] and outcome.report["outages"]
