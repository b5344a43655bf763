"""What the hostile tests share: real processes, which only Linux can pin to cores and look into."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.rig import Stages

FULL = os.environ.get("HOSTILE") == "full"
"""Every step of the ladder at full length, held to the bounds themselves; else the reduced size of every run."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an integration test, and for Linux."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and processor affinity"))


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """A relay with innocents, kept from test to test while it is sound."""
    with Stages(tmp_path_factory.mktemp("stages")) as stages:
        yield stages
