"""What both plugins do at their start."""

import time

import pytest

from twisted.internet.testing import MemoryReactorClock

from tickrelay.errors import SettingError
from tickrelay.starting import refuse, steady


def test_timers_do_not_follow_the_wall_clock() -> None:
    """Setting the clock an hour back must not stop every timer for an hour."""
    reactor = MemoryReactorClock()
    assert steady(reactor) is reactor
    before = time.monotonic()
    assert before <= reactor.seconds() <= time.monotonic()


def test_a_start_is_refused_with_one_line_in_the_foreground() -> None:
    """The program, the reason, exit status 1."""
    with pytest.raises(SystemExit, match=r"^tickrelay: PORT must be") as ended:
        refuse("tickrelay", SettingError("PORT must be a number"), True)
    assert ended.value.code != 0


def test_a_daemon_is_refused_by_an_exception() -> None:
    """On SystemExit twistd's parent process would wait for ever."""
    with pytest.raises(SettingError):
        refuse("tickrelay", SettingError("PORT must be a number"), False)
