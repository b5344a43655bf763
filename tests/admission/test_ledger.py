"""The ledger: who pays for the reactor's time, and who waits."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.turns import Turns
from tickrelay.admission.ledger import (
    ADDRESS_BURST_S,
    ADDRESS_SHARE,
    ALL_BURST_S,
    MAX_IDLE_ACCOUNTS,
    MODEST_S,
    PIECE_S,
    SLICE_S,
    Ledger,
    Payer,
    block_of,
)


class Bench:
    """A ledger whose work takes the time that a test says."""

    def __init__(self) -> None:
        self.clock = Turns()
        self.ledger = Ledger(self.clock)
        self.done: list[str] = []

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        """Work that takes *seconds* and is noted as *name*."""

        def run() -> None:
            self.clock.now_s += seconds  # the reactor is busy: nothing else is called
            self.done.append(name)

        return run

    def turn(self) -> list[str]:
        """One turn of the reactor; returns what was done in it."""
        before = len(self.done)
        self.clock.turn()
        return self.done[before:]

    def spend(self, payer: Payer, seconds: float) -> None:
        """Use up so much time."""
        payer.do(self.work("spent", seconds))


@pytest.fixture
def bench() -> Bench:
    """An empty ledger."""
    return Bench()


def test_within_its_share_everybody_is_served_at_once(bench: Bench) -> None:
    """Nothing is scheduled for later, and what was used is forgotten at the share's pace."""
    payer = bench.ledger.payer("192.0.2.1")
    assert payer.when_due(bench.work("a", 0.001)) is True
    assert bench.done == ["a"] and not bench.clock.calls
    assert payer.account.used_s(bench.clock.now_s) == pytest.approx(0.001)
    assert payer.account.used_s(bench.clock.now_s + 0.005) == pytest.approx(0.001 - 0.005 * ADDRESS_SHARE)
    assert payer.account.used_s(bench.clock.now_s + 1) == 0


def test_who_is_over_waits_and_others_do_not(bench: Bench) -> None:
    """The heavy address' work is done in the next turn; the light one's at once."""
    heavy, light = bench.ledger.payer("192.0.2.1"), bench.ledger.payer("192.0.2.2")
    bench.spend(heavy, ADDRESS_BURST_S + 0.001)
    assert heavy.is_over and not light.is_over
    assert heavy.when_due(bench.work("heavy", 0.001)) is False
    assert light.when_due(bench.work("light", 0.001)) is True
    assert bench.done == ["spent", "light"]
    assert bench.turn() == ["heavy"]
    assert bench.ledger.deferred == 1


def test_a_turn_does_a_bounded_amount_of_waiting_work(bench: Bench) -> None:
    """With a hundred heavy connections a turn takes no longer than its slice and the last piece of work."""
    payers = [bench.ledger.payer("192.0.2.1") for _ in range(100)]
    bench.spend(payers[0], 1.0)
    for payer in payers:
        payer.when_due(bench.work("w", 0.002))
    turns = []
    while bench.clock.calls:
        before = bench.clock.now_s
        bench.turn()
        turns.append(bench.clock.now_s - before)
    assert sum(turns) == pytest.approx(0.2)
    assert max(turns) <= SLICE_S + 0.002


def test_addresses_take_turns(bench: Bench) -> None:
    """One with a hundred connections gets no more than one with a single one."""
    many = [bench.ledger.payer("192.0.2.1") for _ in range(100)]
    one = bench.ledger.payer("192.0.2.2")
    bench.spend(many[0], 1.0)
    bench.spend(one, 1.0)
    for payer in many:
        payer.when_due(bench.work("many", 0.001))
    one.when_due(bench.work("one", 0.001))
    assert bench.turn()[:2] == ["many", "one"]


def test_a_modest_connection_of_a_heavy_address_goes_first(bench: Bench) -> None:
    """Behind one address there may be an office: who used little passes those who used much."""
    heavy = [bench.ledger.payer("192.0.2.1") for _ in range(50)]
    for payer in heavy:
        bench.spend(payer, 0.1)
        payer.when_due(bench.work("heavy", 0.004))
    modest = bench.ledger.payer("192.0.2.1")
    assert modest.when_due(bench.work("modest", 0.001)) is False
    assert bench.turn()[0] == "modest"


def test_reconnecting_brings_no_fresh_start(bench: Bench) -> None:
    """The account of the address stays after its last connection, until all is forgotten."""
    payer = bench.ledger.payer("192.0.2.1")
    bench.spend(payer, 1.0)
    payer.leave()
    again = bench.ledger.payer("192.0.2.1")
    assert again.is_over
    again.leave()
    bench.clock.now_s += 1.0 / ADDRESS_SHARE - 0.1
    bench.ledger.forget_settled()
    assert len(bench.ledger) == 1
    bench.clock.now_s += 0.2
    bench.ledger.forget_settled()
    assert len(bench.ledger) == 0


def test_many_addresses_that_are_each_within_their_share_wait_too(bench: Bench) -> None:
    """Together they are over; whoever used next to nothing is still served at once."""
    swarm = [bench.ledger.payer(f"192.0.2.{i}") for i in range(20)]
    for payer in swarm:
        bench.spend(payer, ADDRESS_BURST_S * 0.9)
    assert all(payer.is_over for payer in swarm[-5:]), f"more than {ALL_BURST_S} s are on the account of all"
    assert not bench.ledger.payer("198.51.100.1").is_over
    bench.clock.now_s += 20 * ADDRESS_BURST_S
    assert not any(payer.is_over for payer in swarm)


def test_work_of_a_connection_that_has_left_is_dropped(bench: Bench) -> None:
    """Nothing is done for a client that is gone."""
    payer = bench.ledger.payer("192.0.2.1")
    bench.spend(payer, 1.0)
    payer.when_due(bench.work("late", 0.001))
    payer.leave()
    assert bench.turn() == [] and not bench.clock.calls


def test_an_error_of_one_job_ends_no_other(bench: Bench) -> None:
    """It is raised to the reactor, which logs it; the next job is done in the next turn, and time was charged."""
    payers = [bench.ledger.payer("192.0.2.1") for _ in range(2)]
    for payer in payers:
        bench.spend(payer, 1.0)

    def fail() -> None:
        bench.clock.now_s += 0.5
        raise ValueError("broken")

    payers[0].when_due(fail)
    payers[1].when_due(bench.work("other", 0.001))
    with pytest.raises(ValueError, match="broken"):
        bench.turn()
    assert bench.turn() == ["other"]
    assert bench.ledger.seconds == pytest.approx(2.501)


def test_a_piece_of_work_ends_in_time(bench: Bench) -> None:
    """Work looks at the clock between its steps, and goes on in the next turn; others are served in between."""
    payer, other = bench.ledger.payer("192.0.2.1"), bench.ledger.payer("192.0.2.2")
    left = list(range(20))

    def work() -> None:
        while left:
            bench.work(f"step {left.pop(0)}", PIECE_S / 4)()
            if left and not payer.may_go_on(bench.clock.monotonic_s()):
                payer.later(work)
                return

    payer.do(work)
    assert len(bench.done) == 4
    other.do(bench.work("other", 0.001))
    assert bench.done[4:] == ["other"]
    while bench.clock.calls:
        assert len(bench.turn()) <= 12
    assert bench.done[5:] == [f"step {n}" for n in range(4, 20)]


def test_what_was_begun_is_finished_before_other_work_of_the_address(bench: Bench) -> None:
    """Half an answer holds memory: of a thousand connections of one address, one at a time has one."""
    bench.spend(bench.ledger.payer("192.0.2.1"), 1.0)
    held: list[int] = []

    def request(payer: Payer) -> Callable[[], None]:
        left = [3]

        def go_on() -> None:
            left[0] -= 1
            bench.work("step", PIECE_S)()
            if left[0]:
                payer.later(go_on, begun=True)
            held.append(sum(0 < other[0] < 3 for other in lefts))

        lefts.append(left)
        return go_on

    lefts: list[list[int]] = []
    for _ in range(5):
        payer = bench.ledger.payer("192.0.2.1")
        payer.when_due(request(payer))
    while bench.clock.calls:
        bench.turn()
    assert len(bench.done) == 1 + 5 * 3
    assert max(held) == 1


def test_who_is_over_has_no_time_without_waiting(bench: Bench) -> None:
    """What was received is looked at when its turn comes; `do` gives no step to it."""
    payer = bench.ledger.payer("192.0.2.1")
    seen: list[bool] = []

    def look() -> None:
        seen.append(payer.may_go_on(bench.clock.monotonic_s()))

    payer.do(look)
    bench.spend(payer, 1.0)
    payer.do(look)
    payer.when_due(look)
    bench.turn()
    assert seen == [True, False, True]


def test_modest_connections_are_served_in_the_order_of_their_coming(bench: Bench) -> None:
    """None of them is passed by those that came later, however many come."""
    bench.spend(bench.ledger.payer("192.0.2.1"), 1.0)
    for n in range(3):
        bench.ledger.payer("192.0.2.1").when_due(bench.work(str(n), 0.0001))
    assert bench.turn() == ["0", "1", "2"]


def test_leaving_twice_counts_once(bench: Bench) -> None:
    """The account of a connection that is still there is not taken for idle."""
    gone, stays = bench.ledger.payer("192.0.2.1"), bench.ledger.payer("192.0.2.1")
    gone.leave()
    gone.leave()
    bench.ledger.forget_settled()
    assert len(bench.ledger) == 1
    stays.leave()
    bench.ledger.forget_settled()
    assert len(bench.ledger) == 0


def test_work_within_work_is_charged_once(bench: Bench) -> None:
    """The whole is measured, not the part again."""
    payer = bench.ledger.payer("192.0.2.1")
    payer.do(lambda: payer.do(bench.work("inner", 0.001)))
    assert payer.account.used_s(bench.clock.now_s) == pytest.approx(0.001)


def test_the_number_of_accounts_is_bounded(bench: Bench) -> None:
    """A flood from ever new addresses forgets the oldest of those that are gone; who is connected stays."""
    stays = bench.ledger.payer("198.51.100.1")
    bench.spend(stays, 1.0)
    for i in range(MAX_IDLE_ACCOUNTS + 500):
        payer = bench.ledger.payer(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
        bench.spend(payer, 1e-5)
        payer.leave()
    assert len(bench.ledger) == MAX_IDLE_ACCOUNTS + 1
    assert bench.ledger.payer("198.51.100.1").is_over


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_blocks(address: str, block: str) -> None:
    """A host with IPv6 has a /64 to itself, and may take a new address for every connection."""
    assert block_of(address) == block


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(0.0001, 0.03)), max_size=60))
def test_whatever_is_asked_for_is_done_once_and_in_order(jobs: list[tuple[int, int, float]]) -> None:
    """Every piece of work is done exactly once, whoever is over, and all time is charged."""
    bench = Bench()
    payers = {(a, c): bench.ledger.payer(f"192.0.2.{a}") for a in range(4) for c in range(6)}
    total = 0.0
    for number, (address, connection, seconds) in enumerate(jobs):
        payer = payers[address, connection]
        while payer.is_waiting:
            bench.turn()
        payer.when_due(bench.work(str(number), seconds))
        total += seconds
    while bench.clock.calls:
        bench.turn()
    assert sorted(map(int, bench.done)) == list(range(len(jobs)))
    assert bench.ledger.seconds == pytest.approx(total)
    assert MODEST_S < ADDRESS_BURST_S


def test_work_that_many_ask_for_waits_while_clients_keep_the_reactor_busy(bench: Bench) -> None:
    """Within its share or not: one alone goes on at once, of many the rest is done a slice a turn."""
    ledger, clock = bench.ledger, bench.clock
    waited: list[bool] = []

    def come(payer: Payer) -> None:
        def work() -> None:
            clock.now_s += MODEST_S / 4
            ledger.wait_if_busy()
            waited.append(not payer.may_go_on(clock.now_s))
            if waited[-1]:
                payer.later(bench.work("rest", SLICE_S / 2))
            else:
                clock.now_s += MODEST_S / 4

        payer.do(work)

    payers = [ledger.payer(f"192.0.2.{n}") for n in range(100)]
    for payer in payers:
        come(payer)
    at_once = waited.index(True)
    assert 1 <= at_once <= 10 and all(waited[at_once:])
    while rest := bench.turn():
        assert len(rest) == 2
    assert bench.done == ["rest"] * (100 - at_once)


def test_work_that_has_waited_does_not_wait_again(bench: Bench) -> None:
    """From the queue it has the time of a piece, however busy the reactor is."""
    ledger, clock = bench.ledger, bench.clock
    payer = ledger.payer("192.0.2.1")
    bench.spend(payer, ADDRESS_BURST_S + 0.01)
    may_go_on: list[bool] = []

    def work() -> None:
        ledger.wait_if_busy()
        may_go_on.append(payer.may_go_on(clock.now_s))

    payer.later(work)
    bench.turn()
    assert may_go_on == [True]
