"""How the relay takes each fault of the simulator, ordered by its name; the causes in detail are tested beside this.

Every fault of the list has a test here; the last test of the file holds the list against them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.rig import Rig
from tickrelay.config.schema import Secret
from tickrelay.simulator.faults.faults import FAULTS, Faults

NAMES = ("EURUSD", "USDJPY", "XAUUSD", "BTCUSD")

SHOWN: set[str] = set()


def order(rig: Rig, statements: str) -> Faults:
    """Order faults now."""
    faults = Faults(rig.dependencies, rig.clock)
    for statement in faults.run(statements):
        SHOWN.add(statement.fault)
    return faults


def flows(rig: Rig) -> bool:
    """Whether every symbol ticks within a minute; raises AssertionError otherwise."""
    rig.listener.spots.clear()
    wanted = {rig.symbol_id(name) for name in NAMES}
    rig.until(lambda: {spot[0] for spot in rig.listener.spots} >= wanted, 60, 0.05)
    return True


def whole(rig: Rig) -> bool:
    """Live, everything subscribed, every symbol ticks, one connection."""
    return rig.state == "live" and rig.upstream_set() == set(NAMES) and len(rig.net.open) == 1 and flows(rig)


@pytest.mark.parametrize(
    ("fault", "within_s"),
    [
        ("drop", 3),
        ("reset", 3),
        ("garbage", 3),
        ("garbage-spot", 3),
        ("overlong", 3),
        ("overlong 15000001", 3),
        ("client-disconnect", 3),
        ("slow-close 4s for 30s; drop", 8),
        ("half-open", 100),
        ("deaf for 150s", 300),
        ("no-connections for 20s; drop", 60),
        ("hang app-auth for 25s; drop", 60),
        ("hang account-auth for 25s; drop", 60),
        ("hang symbols for 25s; drop", 60),
        ("hang subscribe for 25s; drop", 60),
        ("hang all for 25s; drop", 60),
        ("refuse account-auth CANT_ROUTE_REQUEST for 30s; drop", 120),
        ("maintenance 60s for 60s; drop", 120),
        ("maintenance 60s ms for 60s; drop", 120),
        ("maintenance 60s common for 60s; drop", 120),
    ],
)
def test_a_lost_connection_is_told_and_made_anew(rig: Rig, fault: str, within_s: float) -> None:
    """The loss is reported, forward-filled prices are dropped, and everything is subscribed again."""
    rig.go_live(*NAMES)
    order(rig, fault)
    rig.until(lambda: rig.status == "disconnected" or rig.state != "live", within_s, 0.05)
    assert rig.listener.lost[-1] == ("upstream-disconnect", None)
    rig.until(lambda: rig.state == "live" and len(rig.net.connections) > 1, within_s, 0.05)
    assert whole(rig)
    assert rig.net.most_open == 1


@pytest.mark.parametrize(
    "fault", ["unknown-type", "empty-frame", "slow 2s for 20s", "reorder for 20s", "late 3s for 20s"]
)
def test_a_harmless_oddity_costs_nothing(rig: Rig, fault: str) -> None:
    """The connection stays, no gap is reported, each symbol's ticks keep their order."""
    rig.go_live(*NAMES)
    lost = len(rig.listener.lost)
    rig.listener.spots.clear()
    order(rig, fault)
    rig.run(30, 0.05)
    for name in NAMES:
        times = [spot[3] for spot in rig.listener.spots if spot[0] == rig.symbol_id(name)]
        assert times == sorted(times)
    assert len(rig.net.connections) == 1
    assert len(rig.listener.lost) == lost
    assert whole(rig)


def test_no_timestamps(rig: Rig) -> None:
    """Ticks are relayed without a source timestamp."""
    rig.go_live(*NAMES)
    order(rig, "no-timestamps for 10s")
    rig.run(1)
    rig.listener.spots.clear()
    rig.run(8, 0.05)
    assert rig.listener.spots
    assert not any(spot[3] for spot in rig.listener.spots)
    assert len(rig.net.connections) == 1


def test_burst(rig: Rig) -> None:
    """A hundred times the usual rate is relayed without a loss."""
    rig.go_live(*NAMES)
    rig.listener.spots.clear()
    order(rig, "burst for 3s")
    rig.run(3)
    assert len(rig.listener.spots) > 500
    rig.run(2)
    assert whole(rig)


def test_silent_ticks(rig: Rig) -> None:
    """In spite of heartbeats the feed becomes degraded, is subscribed again, and then connected anew."""
    rig.go_live(*NAMES)
    rig.run(60, 0.1)
    faults = order(rig, "silent-ticks")
    rig.until(lambda: rig.state == "degraded", 400, 0.5)
    rig.until(lambda: len(rig.net.connections) > 1, 600, 0.5)
    faults.clear()
    rig.until(lambda: rig.state == "live", 60, 0.1)
    assert whole(rig)


def test_markets_closed(rig: Rig) -> None:
    """An announced closure is no dead feed: one connection, no alarm."""
    rig.go_live(*NAMES)
    rig.run(60, 0.1)
    order(rig, "markets-closed for 30m")
    rig.run(1801, 0.5)
    assert len(rig.net.connections) == 1 and rig.counters.stale_feeds == 0
    assert whole(rig)


def test_markets_closed_unannounced(rig: Rig) -> None:
    """A closure against the schedule is taken for a dead feed; reconnects are few."""
    rig.go_live(*NAMES)
    rig.run(60, 0.1)
    order(rig, "markets-closed unannounced for 30m")
    rig.run(1800, 0.5)
    assert len(rig.net.connections) <= 6
    rig.until(lambda: rig.state == "live", 300, 0.5)
    assert whole(rig)


@pytest.mark.parametrize("fault", ["account-disconnect", "token-invalidated"])
def test_an_account_that_is_thrown_out_comes_back_on_the_same_connection(rig: Rig, fault: str) -> None:
    """The gap is reported; there is no reconnect."""
    rig.go_live(*NAMES)
    order(rig, fault)
    rig.until(lambda: ("account-disconnect", None) in rig.listener.lost, 1)
    rig.until(lambda: rig.state == "live", 5)
    assert len(rig.net.connections) == 1
    assert whole(rig)


def test_token_expired(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    """With a refresh token it is renewed once, and the new pair is saved."""
    rig = make_rig(refresh_token=Secret("sim-refresh"), token_file=str(tmp_path / "tokens"))
    rig.go_live(*NAMES)
    order(rig, "token-expired")
    rig.until(lambda: rig.state != "live", 1)
    rig.until(lambda: rig.state == "live", 30)
    assert len(rig.sent("ProtoOARefreshTokenReq")) == 1
    assert (tmp_path / "tokens").exists()
    assert whole(rig)


def test_token_expired_without_a_way_to_renew_it(rig: Rig) -> None:
    """The status names the token's setting; account auth is retried at most once a minute."""
    rig.go_live(*NAMES)
    order(rig, "token-expired")
    rig.until(lambda: rig.status == "error", 60, 0.1)
    assert "CTRADER_ACCESS_TOKEN" in rig.message
    before = len(rig.sent("ProtoOAAccountAuthReq"))
    rig.run(120, 0.5)
    assert len(rig.sent("ProtoOAAccountAuthReq")) - before <= 2


def test_refuse(rig: Rig) -> None:
    """Refused credentials are an error that names the setting; slow retries succeed once they are accepted."""
    rig.go_live(*NAMES)
    faults = order(rig, "refuse app-auth; drop")
    rig.until(lambda: rig.status == "error", 30, 0.1)
    assert "CTRADER_CLIENT_SECRET" in rig.message
    before = len(rig.net.connections)
    rig.run(120, 0.5)
    assert len(rig.net.connections) - before <= 2
    faults.clear()
    rig.until(lambda: rig.state == "live", 700, 0.5)
    assert whole(rig)


def test_rate_limit(rig: Rig) -> None:
    """The session waits as long as the error asks for, then subscribes the symbol."""
    rig.go_live(*NAMES)
    order(rig, "rate-limit subscribe 3s for 5s")
    start = rig.clock.seconds()
    rig.service.want("GBPUSD")
    rig.until(lambda: "GBPUSD" in rig.listener.confirmed, 30)
    first, *later = [when for when in rig.sent("ProtoOASubscribeSpotsReq") if when >= start]
    assert later[0] - first >= 3
    assert len(rig.net.connections) == 1


def test_symbol_changed(rig: Rig) -> None:
    """The symbol is fetched again; its ticks go on."""
    rig.go_live(*NAMES)
    order(rig, "symbol-changed EURUSD 4")
    rig.until(lambda: next(s.digits for s in rig.listener.symbols if s.name == "EURUSD") == 4, 5)
    assert whole(rig)


def test_every_fault_is_shown() -> None:
    """No fault of the list is without a test of the relay's reaction (run the whole file)."""
    if len(SHOWN) < 10:
        pytest.skip("only a part of this file was run")
    assert set(FAULTS) - SHOWN == set()
