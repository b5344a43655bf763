"""Rules of the simulator where the real server's behaviour is not known: each value, and the bounds."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.broker import ACCOUNT, APPLICATION, Broker
from tickrelay.model.errors import SettingError
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAAccountAuthRes,
    ProtoOAAccountLogoutReq,
    ProtoOAGetAccountListByAccessTokenReq,
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOARefreshTokenReq,
    ProtoOASubscribeSpotsRes,
)
from tickrelay.simulator.faults.faults import Faults
from tickrelay.simulator.settings import Rules


@pytest.mark.parametrize("survive", [False, True])
@pytest.mark.parametrize("event", ["refresh", "token-invalidated", "account-disconnect"])
def test_spots_that_survive_their_account(make_broker: Callable[..., Broker], survive: bool, event: str) -> None:
    """No ticks while the account is not authorized; afterwards ticks with both sides first, or none."""
    broker = make_broker(spots_survive=survive)
    peer = broker.connect()
    peer.log_in()
    peer.subscribe(1)
    broker.run(2)
    token = "sim-token"
    if event == "refresh":
        token = peer.ask(ProtoOARefreshTokenReq(refreshToken="sim-refresh")).accessToken
    else:
        Faults(broker.broker, broker.clock).run(event)
    peer.take()
    broker.run(10)
    assert not peer.spots()
    account = ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken=token)
    assert isinstance(peer.ask(account), ProtoOAAccountAuthRes)
    broker.run(10)
    spots = peer.spots()
    assert bool(spots) is survive
    if survive:
        assert spots[0].HasField("bid") and spots[0].HasField("ask")
        assert peer.subscribe(1).errorCode == "ALREADY_SUBSCRIBED"
    else:
        assert isinstance(peer.subscribe(1), ProtoOASubscribeSpotsRes)


@pytest.mark.parametrize("way", ["logout", "client-disconnect"])
def test_spots_that_survive_end_with_a_logout_and_with_the_application(
    make_broker: Callable[..., Broker], way: str
) -> None:
    """The client's own logout, and the end of the application's session, leave nothing."""
    broker = make_broker(spots_survive=True)
    peer = broker.connect()
    peer.log_in()
    peer.subscribe(1)
    faults = Faults(broker.broker, broker.clock)
    if way == "logout":
        peer.ask(ProtoOAAccountLogoutReq(ctidTraderAccountId=1001))
    else:
        faults.run("account-disconnect; client-disconnect")
        peer.ask(APPLICATION)
    peer.ask(ACCOUNT)
    broker.run(10)
    assert not peer.spots()


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("token", ["unknown", "sim-token"])
def test_the_account_list_of_a_dead_token(make_broker: Callable[..., Broker], empty: bool, token: str) -> None:
    """By the rule it is empty or refused; that of a valid token is complete."""
    broker = make_broker(dead_token_empty_list=empty)
    peer = broker.connect()
    peer.ask(APPLICATION)
    request = ProtoOAGetAccountListByAccessTokenReq(accessToken=token)
    assert len(peer.ask(request).ctidTraderAccount) == 3 if token == "sim-token" else True
    broker.broker.accounts.expire()
    answer = peer.ask(request)
    if empty:
        assert isinstance(answer, ProtoOAGetAccountListByAccessTokenRes)
        assert (answer.accessToken, len(answer.ctidTraderAccount)) == (token, 0)
    else:
        assert answer.errorCode == "CH_ACCESS_TOKEN_INVALID"
    error = peer.ask(ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken=token))
    assert error.errorCode == "CH_ACCESS_TOKEN_INVALID"


@pytest.mark.parametrize(
    "rule",
    [
        {"idle_s": -1.0},
        {"idle_s": float("inf")},
        {"idle_s": float("nan")},
        {"heartbeat_s": 0.0},
        {"slice_bytes": -5},
        {"retry_after_s": 2**40},
    ],
)
def test_a_rule_out_of_bounds_is_refused(rule: dict[str, Any]) -> None:
    """The error names the rule: a timer of 0 s or a field that overflows would fail much later."""
    with pytest.raises(SettingError, match=f"rules.{next(iter(rule))} must be"):
        Rules(**rule)
