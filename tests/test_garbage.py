"""Full garbage collections come after connections have ended, and not because clients have come."""

import gc
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.turns import Turns
from tickrelay.admission.ledger import Ledger, Payer
from tickrelay.garbage import FEWEST_GONE, GarbageService, collect, trim_heap


class Garbage:
    """The service, with a ledger, and how often it has made a full collection."""

    def __init__(self) -> None:
        self.clock = Turns()
        self.ledger = Ledger(self.clock)
        self.collections = 0
        self.service = GarbageService(self.ledger, self.clock, self._collect)
        self.service.startService()
        self.at_start = self.collections

    def _collect(self) -> None:
        self.collections += 1

    def join(self, connections: int) -> list[Payer]:
        """So many connect, a hundred a second."""
        payers = []
        for number in range(connections):
            payers.append(self.ledger.payer("192.0.2.1"))
            if number % 100 == 99:
                self.second()
        return payers

    def second(self) -> int:
        """A second passes; returns the full collections since the start."""
        self.clock.now_s += 1.0
        self.clock.turn()
        return self.collections - self.at_start


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    """A service that runs, with nobody connected."""
    before = gc.get_threshold()
    garbage = Garbage()
    yield garbage
    garbage.service.stopService()
    assert gc.get_threshold() == before and not gc.get_freeze_count()
    assert not garbage.clock.is_busy


def test_what_was_there_at_the_start_is_left_out(garbage: Garbage) -> None:
    """It is collected once, and then counts to no collection."""
    assert garbage.at_start == 1
    assert gc.get_freeze_count() > 10_000


def test_clients_that_come_cause_no_full_collection(garbage: Garbage) -> None:
    """Neither by the service, nor by CPython, whose young collections go on."""
    full, young = gc.get_stats()[2]["collections"], gc.get_stats()[0]["collections"]
    payers = garbage.join(5_000)
    objects = [[payer] for payer in payers for _ in range(40)]  # of which one client has as many
    assert garbage.second() == 0
    assert gc.get_stats()[2]["collections"] == full
    assert gc.get_stats()[0]["collections"] > young + 50
    assert len(objects) == 200_000


def test_a_full_collection_follows_those_who_leave(garbage: Garbage) -> None:
    """When as many have left as are connected, and no more often."""
    payers = garbage.join(4 * FEWEST_GONE)
    for payer in payers[: 2 * FEWEST_GONE - 1]:
        payer.leave()
    assert garbage.second() == 0
    payers[-1].leave()
    assert garbage.second() == 1
    assert garbage.second() == 1


def test_with_few_connected_it_waits_for_many_to_leave(garbage: Garbage) -> None:
    """A single client that comes and goes causes none for a long time."""
    for _ in range(FEWEST_GONE - 1):
        garbage.ledger.payer("192.0.2.1").leave()
    assert garbage.second() == 0
    garbage.ledger.payer("192.0.2.1").leave()
    assert garbage.second() == 1


def rss_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1_048_576


@pytest.mark.skipif(trim_heap is None, reason="the C library has no malloc_trim")
def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    """Also from below a block that is still in use, as the answers that clients had not read leave it."""
    answers = [bytes(60_000) for _ in range(1_000)]
    pinned = [answers[n] for n in range(0, 1_000, 100)]
    before = rss_mib()
    del answers
    collect()
    assert rss_mib() < before - 40
    assert len(pinned) == 10
