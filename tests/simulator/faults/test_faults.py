"""The list of faults, and the scripts that run them."""

import pytest

from twisted.logger import LogEvent

from tests.support.broker import Broker, Peer
from tickrelay.model.errors import SettingError
from tickrelay.simulator.faults.faults import FAULTS, Faults


def test_times_of_a_script(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Statements run at their times, are repeated with ``every``, and end with ``for``."""
    faults.run("at 10s: silent-ticks for 5s; every 20s: hang all for 1s")
    assert faults.sustained == []
    broker.run(11)
    assert faults.sustained == ["silent-ticks for 5s"]
    broker.run(5)
    assert faults.sustained == []
    broker.run(4.5)
    assert faults.sustained == ["hang all for 1s"]
    broker.run(20)
    assert faults.sustained == ["hang all for 1s"]
    faults.run("clear")
    broker.run(30)
    assert faults.sustained == []


def test_a_script_with_a_mistake_does_nothing(faults: Faults, trader: Peer) -> None:
    """An unknown fault is named with those that exist, and the statements before it have not run."""
    with pytest.raises(SettingError, match="no fault 'dorp'; there are clear, drop"):
        faults.run("drop; dorp")
    assert not trader.wire.ended()
    for bad in ("hang nobody", "burst zero", "slow 1x", "symbol-changed NOPE", "overlong 99999999999"):
        with pytest.raises(SettingError, match="fault script"):
            faults.run(bad)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_runs_without_a_word_more(broker: Broker, faults: Faults, trader: Peer, name: str) -> None:
    """Each fault runs without arguments, has a description, and can be cleared."""
    assert FAULTS[name].about.endswith(".")
    trader.subscribe(1)
    faults.run(name)
    broker.run(1)
    faults.run("clear")
    assert faults.sustained == []


def test_a_mistake_that_shows_when_it_is_due_is_logged(
    broker: Broker, faults: Faults, trader: Peer, logged: list[LogEvent]
) -> None:
    """The log names the statement and its error; the other statements run."""
    faults.run("at 1s: symbol-changed NOPE; at 2s: drop")
    broker.run(3)
    (line,) = [event for event in logged if "fault {fault}: {error}" == event.get("log_format")]
    assert "no symbol 'NOPE'" in str(line["error"])
    assert trader.wire.ended() == "closed"


def test_so_many_faults_at_a_time(faults: Faults) -> None:
    """The number of active faults is bounded."""
    with pytest.raises(SettingError, match="more than 1000"):
        faults.run("at 1s: drop;" * 1001)
