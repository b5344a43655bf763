"""How many connections there may be: accepted ones stay, refused ones get a reason, and both are bounded."""

import re

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tickrelay.admission.places import REFUSAL_ALLOWANCE_OF_ADDRESS, Admission, Slot
from tickrelay.config.origins import normal


@pytest.mark.parametrize("arriving", [101, 105, 110, 130, 250])
def test_who_is_in_stays_in(clock: Clock, arriving: int) -> None:
    """Of many connections at once from one address the limit is served, up to 20 get 1013, the rest are cut off."""
    server = Server(clock, max_connections_per_address=100)
    browsers = [Browser(server) for _ in range(arriving)]
    opened = [browser for browser in browsers if browser.transport.connected]
    for browser in opened:
        browser.open()
    told = [close for browser in opened for close in browser.closes()]
    assert len(told) == min(arriving - 100, REFUSAL_ALLOWANCE_OF_ADDRESS)
    assert {code for code, _ in told} == {1013}
    assert all(15 <= int(re.fullmatch(r"retry in (\d+) s", reason)[1]) <= 45 for _, reason in told)  # type: ignore[index]
    clock.advance(3)
    served = [browser for browser in opened if browser.transport.connected]
    assert len(served) == len(server.factory) == 100
    assert all(browser.ask({"type": "ping"})["type"] == "pong" for browser in served)


def test_a_storm_of_refused_connections_takes_no_place(clock: Clock) -> None:
    """In wave after wave beyond the limit accepted clients stay, and a place that one leaves can be taken."""
    server = Server(clock, max_connections_per_address=2)
    one, two = server.browser(), server.browser()
    for _ in range(20):
        for _ in range(40):
            browser = Browser(server)
            if browser.transport.connected:
                browser.open()
    assert one.transport.connected and two.transport.connected
    one.vanish()
    late = server.browser()  # the last wave is still being told
    assert late.closes() == []
    assert late.ask({"type": "ping"})["type"] == "pong"
    assert server.browser().closes() == []


def test_another_address_has_places_of_its_own(clock: Clock) -> None:
    """The limit of one address is not the limit of another."""
    server = Server(clock, max_connections_per_address=1)
    assert server.browser().closes() == []
    assert server.browser().closes()[0][0] == 1013
    other = Browser(server, address="10.0.0.2")
    other.open()
    assert other.closes() == []


def test_the_limit_of_all_addresses_together(clock: Clock) -> None:
    """Beyond it every client gets 1013 after the handshake; half-open connections do not count."""
    server = Server(clock, max_connections=2)
    lurkers = [Browser(server, f"10.0.1.{n}") for n in range(50)]
    browsers = [Browser(server, f"10.0.0.{n}") for n in range(4)]
    for browser in browsers:
        browser.open()
    assert [bool(browser.closes()) for browser in browsers] == [False, False, True, True]
    assert all(browser.transport.connected for browser in (*lurkers, *browsers[:2]))


def test_connections_that_never_open_are_bounded_in_all(clock: Clock) -> None:
    """From all addresses together there are at most a fixed number more than the limit of clients."""
    server = Server(clock, max_connections=10)
    lurkers = [Browser(server, f"10.{n // 250}.0.{n % 250}") for n in range(500)]
    assert sum(browser.transport.connected for browser in lurkers) == 210
    clock.pump([0.5] * 12)
    assert not any(browser.transport.connected for browser in lurkers)
    late = Browser(server)
    late.open()
    assert late.closes() == []


class Storm(RuleBasedStateMachine):
    """Connections of three addresses connect, open, are refused and close in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(5, 3, ())
        self.opening: list[tuple[str, Slot]] = []
        self.inside: list[tuple[str, Slot]] = []
        self.refused: list[tuple[str, Slot]] = []

    @rule(address=st.sampled_from("abc"))
    def arrive(self, address: str) -> None:
        """A TCP connection."""
        slot = self.admission.arrive(address)
        if isinstance(slot, Slot):
            self.opening.append((address, slot))

    @precondition(lambda self: self.opening)
    @rule()
    def enter(self) -> None:
        """Its handshake is done: it has a place exactly if those inside leave one."""
        address, slot = self.opening.pop(0)
        free = len(self.inside) < 5 and sum(a == address for a, _ in self.inside) < 3
        assert (slot.enter() is None) is free
        if free:
            self.inside.append((address, slot))
        elif slot.refuse():
            self.refused.append((address, slot))
        else:
            slot.leave()

    @precondition(lambda self: self.opening)
    @rule()
    def refuse(self) -> None:
        """Its origin is not allowed, say."""
        address, slot = self.opening.pop()
        if slot.refuse():
            self.refused.append((address, slot))
        else:
            slot.leave()

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Any of them goes."""
        groups = [group for group in (self.opening, self.inside, self.refused) if group]
        if groups:
            group = data.draw(st.sampled_from(groups))
            group.pop(data.draw(st.integers(0, len(group) - 1)))[1].leave()

    @invariant()
    def the_bounds_hold(self) -> None:
        """Of each address and of all; nothing is kept of an address without connections."""
        everyone = self.opening + self.inside + self.refused
        for address in "abc":
            assert sum(a == address for a, _ in everyone) <= 3 + REFUSAL_ALLOWANCE_OF_ADDRESS
            assert sum(a == address for a, _ in self.refused) <= REFUSAL_ALLOWANCE_OF_ADDRESS
            assert (address in self.admission._rooms) is any(a == address for a, _ in everyone)


TestStorm = Storm.TestCase


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://up.example", True),
        ("HTTPS://Up.Example:443", True),
        ("", True),
        ("https://up.example:8443", False),
        ("http://up.example", False),
        ("https://up.example:x", False),
        ("null", False),
    ],
)
def test_an_origin_is_compared_by_what_it_means(origin: str, allowed: bool) -> None:
    """Case and the default port are no difference; a header that is no origin is another one."""
    assert Admission(1, 1, [normal("https://UP.example:443/")]).allows_origin(origin) is allowed
