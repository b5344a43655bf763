"""Renewing tokens: each refresh token is valid once, and live sessions of the old pair end."""

from collections.abc import Callable

import pytest

from tests.support.broker import ACCOUNT, APPLICATION, SYMBOLS, Broker, Peer
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAAccountAuthRes,
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOARefreshTokenReq,
    ProtoOARefreshTokenRes,
)

REFRESH = ProtoOARefreshTokenReq(refreshToken="sim-refresh")


def test_both_tokens_change_and_the_old_ones_are_void(peer: Peer) -> None:
    """A refresh token is valid once; both tokens of the new pair are accepted."""
    peer.ask(APPLICATION)
    fresh = peer.ask(REFRESH)
    assert fresh.accessToken not in ("", "sim-token")
    assert fresh.refreshToken not in ("", "sim-refresh")
    assert fresh.expiresIn == 2_628_000
    assert peer.ask(REFRESH).errorCode == "CH_ACCESS_TOKEN_INVALID"
    old = ACCOUNT
    assert peer.ask(old).errorCode == "CH_ACCESS_TOKEN_INVALID"
    new = ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken=fresh.accessToken)
    assert isinstance(peer.ask(new), ProtoOAAccountAuthRes)
    assert isinstance(peer.ask(ProtoOARefreshTokenReq(refreshToken=fresh.refreshToken)), ProtoOARefreshTokenRes)


def test_a_refresh_under_a_live_session_throws_its_accounts_out(broker: Broker, trader: Peer) -> None:
    """On every connection that uses the grant: 2147, then 2164; subscriptions end with them."""
    other = broker.connect()
    other.log_in(1002)
    other.subscribe(1, account_id=1002)
    other.take()
    trader.take()
    trader.send(REFRESH, "m")
    kinds = [type(m) for m in trader.messages()]
    assert kinds == [ProtoOARefreshTokenRes, ProtoOAAccountsTokenInvalidatedEvent, ProtoOAAccountDisconnectEvent]
    assert [type(m) for m in other.messages()] == kinds[1:]
    broker.run(5)
    assert not other.spots()


def test_requests_in_flight_fail_when_the_account_is_thrown_out(make_broker: Callable[..., Broker]) -> None:
    """They were accepted, but their account is no longer open when they are answered."""
    broker = make_broker(latency_s=0.1)
    peer = broker.connect()
    for message in (APPLICATION, ACCOUNT):
        peer.send(message, "m")
        broker.run(0.3)
    peer.take()
    # The list is asked for before the refresh, and would be answered after it.
    broker.broker.random = type("Draws", (), {"random": iter([1.0, 0.0]).__next__})()
    peer.send(SYMBOLS, "in flight")
    peer.send(REFRESH, "refresh")
    broker.run(0.4)
    answers = [(envelope.clientMsgId, envelope.payloadType) for envelope in peer.take() if envelope.clientMsgId]
    assert answers == [("refresh", 2174), ("in flight", 2142)]


@pytest.mark.parametrize("needed", [True, False])
def test_a_refresh_before_application_auth(make_broker: Callable[..., Broker], needed: bool) -> None:
    """By the switch it is refused, or works."""
    peer = make_broker(refresh_needs_application=needed).connect()
    answer = peer.ask(REFRESH)
    assert isinstance(answer, ProtoOARefreshTokenRes) is not needed
    if needed:
        assert answer.errorCode == "CH_CLIENT_NOT_AUTHENTICATED"


def test_tokens_end_with_time(make_broker: Callable[..., Broker]) -> None:
    """After its life an access token is refused on account auth."""
    broker = make_broker(token_life_s=60)
    broker.run(61, 1)
    peer = broker.connect()
    peer.ask(APPLICATION)
    error = peer.ask(ACCOUNT)
    assert (error.errorCode, error.description) == ("CH_ACCESS_TOKEN_INVALID", "Access token expired")


def test_fifty_requests_a_second(broker: Broker, trader: Peer) -> None:
    """The fifty-first is refused; only its type is blocked, for retryAfter seconds."""
    broker.run(1.1)
    symbols = SYMBOLS
    for _ in range(50):
        assert trader.ask(symbols).symbol
    error = trader.ask(symbols)
    assert (error.errorCode, error.retryAfter) == ("BLOCKED_PAYLOAD_TYPE", 1)
    broker.run(1.1)
    assert trader.ask(symbols).symbol


def test_the_older_answer_to_too_many_requests(make_broker: Callable[..., Broker]) -> None:
    """By a rule it is REQUEST_FREQUENCY_EXCEEDED, without retryAfter."""
    broker = make_broker(rate_code="REQUEST_FREQUENCY_EXCEEDED", requests_per_s=3)
    peer = broker.connect()
    peer.log_in()
    peer.ask(SYMBOLS)
    error = peer.ask(SYMBOLS)
    assert error.errorCode == "REQUEST_FREQUENCY_EXCEEDED"
    assert not error.HasField("retryAfter")
