"""Fixtures of the tests of admission."""

import pytest

from tests.support.ledger import Bench


@pytest.fixture
def bench() -> Bench:
    """An empty ledger."""
    return Bench()
