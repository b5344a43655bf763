"""Time zones by name: what a broker may send, and what the disk may do."""

import errno
from zoneinfo import ZoneInfo

import pytest

from twisted.logger import LogEvent

from tickrelay.model.zones import AGAIN_S, MAX_ZONES, Zones


class Disk:
    """Loads zones, or fails as it is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.loads: list[str] = []

    def __call__(self, name: str) -> ZoneInfo:
        """Load one."""
        self.loads.append(name)
        if self.error is not None:
            raise self.error
        return ZoneInfo(name)


@pytest.fixture
def disk() -> Disk:
    """A disk that works."""
    return Disk()


def test_a_zone_is_loaded_once(disk: Disk) -> None:
    """No name is UTC."""
    zones = Zones(disk)
    assert zones.find("Europe/Moscow", 0) is zones.find("Europe/Moscow", 1e9) is ZoneInfo("Europe/Moscow")
    assert zones.find("", 0) is ZoneInfo("UTC")
    assert disk.loads == ["Europe/Moscow", "UTC"]


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "Too many open files"), PermissionError(), KeyError("no"), ValueError("no")]
)
def test_a_failure_is_not_for_ever(disk: Disk, error: Exception, logged: list[LogEvent]) -> None:
    """The zone is unknown, is not looked for all the time, and is found when the disk works again."""
    zones = Zones(disk)
    disk.error = error
    assert [zones.find("Europe/Moscow", second) for second in (100, 101, 100 + AGAIN_S - 1)] == [None] * 3
    assert len(disk.loads) == 1
    disk.error = None
    assert zones.find("Europe/Moscow", 100 + AGAIN_S) is ZoneInfo("Europe/Moscow")
    assert len(logged) == 1


def test_a_clock_that_was_set_back_does_not_prolong_it(disk: Disk) -> None:
    """An hour, a day: it is tried again."""
    zones = Zones(disk)
    disk.error = KeyError("no")
    zones.find("Europe/Moscow", 1e6)
    disk.error = None
    assert zones.find("Europe/Moscow", 1e6 - 3600) is not None


def test_many_names_are_bounded(disk: Disk, logged: list[LogEvent]) -> None:
    """Neither memory nor log grows with the number of names."""
    zones = Zones(disk)
    for number in range(10 * MAX_ZONES):
        assert zones.find(f"No/{number}", 0) is None
    assert len(zones._missing) <= MAX_ZONES and len(logged) == 1
