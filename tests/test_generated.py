"""What is generated and committed equals what would be generated now."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(tool: str) -> "subprocess.CompletedProcess[str]":
    """Run a tool of the checkout with --check."""
    command = [sys.executable, str(ROOT / "tools" / tool), "--check"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_protobuf_modules() -> None:
    """``make proto`` would change nothing."""
    pytest.importorskip("grpc_tools", reason="the generator is installed by make test")
    done = run("gen_proto.py")
    assert done.returncode == 0, done.stderr


def test_table_of_settings() -> None:
    """docs/operations.rst lists the settings that there are."""
    assert run("gen_settings.py").returncode == 0, "run tools/gen_settings.py"
