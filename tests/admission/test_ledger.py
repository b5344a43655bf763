"""The ledger: who pays for the reactor's time, and who waits."""

import pytest

from tests.support.ledger import Bench
from tickrelay.admission.ledger import ADDRESS_BURST_S, ADDRESS_SHARE, ALL_BURST_S, MAX_IDLE_ACCOUNTS, block_of


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
