"""The program of the tutorial, as docs/tutorial.rst has it run."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import Twistd

PROGRAM = Path(__file__).parent.parent.parent / "docs" / "tutorial" / "resume.py"


def test_the_program_that_comes_back_loses_nothing(wheel_python: Path, tmp_path: Path) -> None:
    """It hangs up, resumes, and every tick is accounted for."""
    listen = "tcp:0:interface=127.0.0.1"
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", "--listen", listen) as relay:
        port = relay.wait_for(r"FrontFactory starting on (\d+)")[1]
        relay.wait_for("status connected")
        done = subprocess.run(
            [sys.executable, PROGRAM],
            env={**os.environ, "TICKRELAY_URL": f"ws://127.0.0.1:{port}/"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "'recovered': True" in done.stdout
    assert done.stdout.endswith("none was lost\n")
