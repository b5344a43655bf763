"""Faults of the moment: what they leave behind on the connections."""

from typing import Any

import pytest

from tickrelay.model.errors import SettingError
from tickrelay.openapi.messages_pb2 import ProtoOAApplicationAuthReq, ProtoOAApplicationAuthRes, ProtoOAVersionReq
from tickrelay.simulator.faults.faults import Faults

APPLICATION = ProtoOAApplicationAuthReq(clientId="sim", clientSecret="sim-secret")


@pytest.fixture
def faults(broker: Any) -> Faults:
    """Runs faults."""
    return Faults(broker.broker, broker.clock)


def test_after_a_client_disconnect_the_time_to_log_in_runs_again(broker: Any, faults: Faults, trader: Any) -> None:
    """A client that goes on talking without application auth is cut off after thirty seconds."""
    for _ in range(4):
        broker.run(20, 1)
        trader.heartbeat()
    faults.run("client-disconnect")
    for _ in range(29):
        trader.send(ProtoOAVersionReq())
        broker.run(1, 1)
    assert not trader.wire.ended
    broker.run(2, 1)
    assert trader.wire.ended == "closed"


def test_a_client_that_logs_in_again_stays(broker: Any, faults: Faults, trader: Any) -> None:
    """Also where it is logged out once more: each time has its own thirty seconds."""
    faults.run("client-disconnect")
    broker.run(20, 1)
    assert isinstance(trader.ask(APPLICATION), ProtoOAApplicationAuthRes)
    faults.run("client-disconnect")
    broker.run(20, 1)
    assert not trader.wire.ended, "the first time is over, the second is not"
    assert isinstance(trader.ask(APPLICATION), ProtoOAApplicationAuthRes)
    for _ in range(4):
        broker.run(20, 1)
        trader.heartbeat()
    assert not trader.wire.ended


def test_a_symbol_of_which_only_the_name_is_known(broker: Any, faults: Faults, trader: Any) -> None:
    """As a recording can have it: one clear line."""
    del broker.broker.catalogue.full_symbols[1]
    with pytest.raises(SettingError, match="no more than the name"):
        faults.run("symbol-changed EURUSD 4")
