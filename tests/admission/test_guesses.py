"""Wrong tokens: an address that shows many waits for each refusal, and is remembered."""

import pytest

from twisted.logger import LogEvent, globalLogPublisher

from tests.support.turns import Turns
from tickrelay.admission.guesses import ALLOWANCE, LINES, MAX_ADDRESSES, MAX_DELAY_S, PERIOD_S, Guesses


@pytest.fixture
def clock() -> Turns:
    """Moved by the test."""
    return Turns()


@pytest.fixture
def guesses(clock: Turns) -> Guesses:
    """None so far."""
    return Guesses(clock.monotonic_s)


def test_beyond_the_allowance_each_refusal_waits_longer(guesses: Guesses) -> None:
    """Up to a bound: whoever has an old token must learn it in the end."""
    assert [guesses.delay_s("192.0.2.1") for _ in range(ALLOWANCE)] == [0.0] * ALLOWANCE
    assert [guesses.delay_s("192.0.2.1") for _ in range(3)] == [PERIOD_S, 2 * PERIOD_S, 3 * PERIOD_S]
    assert [guesses.delay_s("192.0.2.1") for _ in range(1000)][-1] == MAX_DELAY_S
    assert guesses.delay_s("192.0.2.2") == 0.0


def test_the_allowance_grows_again(guesses: Guesses, clock: Turns) -> None:
    """After a bounded time, however many guesses there were."""
    for _ in range(1000):
        guesses.delay_s("192.0.2.1")
    clock.now_s += MAX_DELAY_S + PERIOD_S
    assert guesses.delay_s("192.0.2.1") == 0.0
    clock.now_s += ALLOWANCE * PERIOD_S + MAX_DELAY_S
    assert [guesses.delay_s("192.0.2.1") for _ in range(ALLOWANCE)] == [0.0] * ALLOWANCE


def test_a_host_with_many_addresses_is_one(guesses: Guesses) -> None:
    """An IPv6 host has a /64 to itself."""
    delays = [guesses.delay_s(f"2001:db8::{n:x}") for n in range(ALLOWANCE + 1)]
    assert delays[-1] == PERIOD_S


def test_what_is_kept_is_bounded(guesses: Guesses, clock: Turns) -> None:
    """The oldest address is forgotten first; those whose allowance is full again, all at once."""
    for n in range(MAX_ADDRESSES + 100):
        guesses.delay_s(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(guesses) == MAX_ADDRESSES
    clock.now_s += 2 * PERIOD_S
    guesses.delay_s("192.0.2.1")
    assert len(guesses) == 1


def test_it_is_logged_once_a_minute(guesses: Guesses, clock: Turns) -> None:
    """With the address; a bounded number of lines, however many addresses guess."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        for _ in range(500):
            guesses.delay_s("192.0.2.1")
        assert [event["address"] for event in events] == ["192.0.2.1"]
        clock.now_s += 61
        for address in range(100):
            for _ in range(ALLOWANCE + 2):
                guesses.delay_s(f"198.51.100.{address}")
        assert len(events) == 1 + LINES
    finally:
        globalLogPublisher.removeObserver(events.append)
