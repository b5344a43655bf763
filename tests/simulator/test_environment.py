"""Which accounts a host serves: each account is live or demo, and so is each host."""

from collections.abc import Callable

import pytest

from tests.support.broker import APPLICATION, Broker
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAGetAccountListByAccessTokenReq,
)
from tickrelay.simulator.settings import SimulatorSettings


@pytest.mark.parametrize(("environment", "served"), [("demo", {1001, 1002}), ("live", {2001})])
def test_accounts_of_the_other_kind_cannot_be_routed(
    make_broker: Callable[..., Broker], environment: str, served: set[int]
) -> None:
    """Both hosts list all accounts, as the real ones do; each serves only those of its kind."""
    peer = make_broker(settings={"environment": environment}).connect()
    peer.ask(APPLICATION)
    listed = peer.ask(ProtoOAGetAccountListByAccessTokenReq(accessToken="sim-token")).ctidTraderAccount
    assert {a.ctidTraderAccountId: a.isLive for a in listed} == {1001: False, 1002: False, 2001: True}
    for account_id in (1001, 1002, 2001):
        answer = peer.ask(ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken="sim-token"))
        assert getattr(answer, "errorCode", "") == ("" if account_id in served else "CANT_ROUTE_REQUEST")


def test_the_account_that_is_printed_can_log_in() -> None:
    """It is one that the host serves."""
    assert SimulatorSettings().served_account_id == 1001
    assert SimulatorSettings(environment="live", account_id=7).served_account_id == 1007
