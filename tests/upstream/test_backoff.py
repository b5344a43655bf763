"""How long to wait, by cause."""

import random

import pytest

from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tickrelay.upstream.backoff import Backoff
from tickrelay.upstream.errors import Cause, Kind

NOW_S = 1_764_000_000.0


def backoff(seed: int = 1) -> Backoff:
    """A backoff with a wall clock that stands."""
    return Backoff(TestClock(Clock(), lambda: NOW_S), rng=random.Random(seed))


def delays(kind: Kind, count: int, seed: int = 1) -> list[float]:
    """The delays of failures in a row."""
    one = backoff(seed)
    return [one.delay(Cause(kind, "x")) for _ in range(count)]


def test_network_is_full_jitter_under_a_doubling_ceiling() -> None:
    """Uniform from 0 to 0.5, 1, 2 … 60 s; it never gives up."""
    many = [delays(Kind.NETWORK, 12, seed) for seed in range(400)]
    for n in range(12):
        ceiling = min(60, 0.5 * 2**n)
        column = [row[n] for row in many]
        assert max(column) <= ceiling
        assert max(column) > 0.9 * ceiling and min(column) < 0.1 * ceiling
    assert delays(Kind.NETWORK, 5000)[-1] <= 60


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (Kind.CREDENTIALS, 60, 900),
        (Kind.REFUSED, 60, 900),
        (Kind.CONNECTION_LIMIT, 60, 900),
        (Kind.CERTIFICATE, 30, 900),
        (Kind.MAINTENANCE, 30, 900),
    ],
)
def test_what_must_not_be_hurried(kind: Kind, least: float, most: float) -> None:
    """The whole delay each time, doubled; jitter only adds to it; never above the maximum."""
    waits = delays(kind, 10)
    for n, wait in enumerate(waits):
        expected = min(most, least * 2**n)
        assert expected <= wait <= min(most, expected * 1.1)


@pytest.mark.parametrize(("end", "least", "most"), [(100, 100, 102), (-100, 5, 7), (1e6, 900, 902)])
def test_maintenance_until_its_end(end: float, least: float, most: float) -> None:
    """Clamped from 5 s to 15 min."""
    assert least <= backoff().delay(Cause(Kind.MAINTENANCE, "x", until_s=NOW_S + end)) <= most


def test_kinds_are_counted_apart_and_reset_together() -> None:
    """A long network outage does not make a refusal's wait longer."""
    one = backoff()
    for _ in range(10):
        one.delay(Cause(Kind.NETWORK, "x"))
    assert one.delay(Cause(Kind.CREDENTIALS, "x")) <= 66
    one.reset()
    assert one.delay(Cause(Kind.NETWORK, "x")) <= 0.5


def test_a_cause_can_ask_for_more() -> None:
    """A blocked channel: five minutes at least."""
    assert backoff().delay(Cause(Kind.CREDENTIALS, "x", least_s=300)) >= 300
