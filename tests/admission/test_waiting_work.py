"""Work that waits in the ledger: in which order it is done, and how much of it in a turn."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ledger import Bench
from tickrelay.admission.ledger import ADDRESS_BURST_S, MODEST_S, PIECE_S, SLICE_S, Payer


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
    """Half an answer holds memory: of five connections of one address, one at a time has one."""
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


def test_modest_connections_are_served_in_the_order_of_their_coming(bench: Bench) -> None:
    """None of them is passed by those that came later, however many come."""
    bench.spend(bench.ledger.payer("192.0.2.1"), 1.0)
    for n in range(3):
        bench.ledger.payer("192.0.2.1").when_due(bench.work(str(n), 0.0001))
    assert bench.turn() == ["0", "1", "2"]


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
