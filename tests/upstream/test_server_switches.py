"""Where the real server's behaviour is not known, the relay works with either: each rule of the simulator."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.rig import Rig
from tickrelay.config.schema import Secret
from tickrelay.simulator.faults.faults import Faults

NAMES = ("EURUSD", "USDJPY", "XAUUSD", "BTCUSD")


@pytest.mark.parametrize("survive", [False, True])
@pytest.mark.parametrize("mixed_batch_refused", [False, True])
@pytest.mark.parametrize("fault", ["account-disconnect", "token-invalidated", "token-expired"])
def test_spots_that_survive_a_new_authorization_or_not(
    make_rig: Callable[..., Rig], tmp_path: Path, survive: bool, mixed_batch_refused: bool, fault: str
) -> None:
    """Live again on the same connection, exactly what is wanted is subscribed, and every symbol ticks."""
    rig = make_rig(
        rules={"spots_survive": survive, "mixed_batch_refused": mixed_batch_refused},
        refresh_token=Secret("sim-refresh"),
        token_file=str(tmp_path / "tokens"),
        unsubscribe_linger_s=0.2,
    )
    rig.go_live(*NAMES, "GBPUSD")
    rig.run(2)
    Faults(rig.dependencies, rig.clock).run(fault)
    rig.service.want("USDCHF")
    rig.service.unwant("GBPUSD")
    rig.until(lambda: rig.state != "live", 1)
    rig.until(lambda: rig.state == "live", 10)
    rig.run(1)
    assert rig.upstream_set() == {*NAMES, "USDCHF"}
    assert len(rig.net.connections) == 1 and not rig.listener.refused
    rig.listener.spots.clear()
    wanted = {rig.symbol_id(name) for name in (*NAMES, "USDCHF")}
    rig.until(lambda: {spot[0] for spot in rig.listener.spots} >= wanted, 60, 0.05)
    assert rig.symbol_id("GBPUSD") not in {spot[0] for spot in rig.listener.spots}


@pytest.mark.parametrize("empty", [False, True])
def test_a_dead_token_whose_account_list_is_empty_or_refused(
    make_rig: Callable[..., Rig], tmp_path: Path, empty: bool
) -> None:
    """It is renewed if there is a refresh token; else an error that names the token, not the account."""
    rules = {"dead_token_empty_list": empty}
    rig = make_rig(rules=rules, refresh_token=Secret("sim-refresh"), token_file=str(tmp_path / "tokens"))
    rig.dependencies.accounts.expire()
    rig.go_live("EURUSD")
    assert rig.counters.token_renewals == 1
    other = make_rig(rules=rules)
    other.dependencies.accounts.expire()
    other.service.startService()
    other.until(lambda: other.listener.statuses and other.status == "error", 10)
    assert "CTRADER_ACCESS_TOKEN" in other.message and "CTRADER_ACCOUNT_ID" not in other.message
