"""One-shot faults: the frames and closes that a client gets, and the state that they leave on the connections."""

import pytest

from tests.support.broker import ACCOUNT, APPLICATION, SYMBOLS, Broker, Peer
from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAAccountAuthRes,
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAApplicationAuthRes,
    ProtoOAClientDisconnectEvent,
    ProtoOARefreshTokenReq,
    ProtoOASymbolByIdReq,
    ProtoOASymbolChangedEvent,
    ProtoOASymbolsListRes,
    ProtoOAVersionReq,
)
from tickrelay.simulator.faults.faults import Faults


def test_after_a_client_disconnect_the_time_to_log_in_runs_again(broker: Broker, faults: Faults, trader: Peer) -> None:
    """A client that sends requests but no application auth is closed after 30 seconds."""
    for _ in range(4):
        broker.run(20, 1)
        trader.heartbeat()
    faults.run("client-disconnect")
    for _ in range(29):
        trader.send(ProtoOAVersionReq())
        broker.run(1, 1)
    assert not trader.wire.ended()
    broker.run(2, 1)
    assert trader.wire.ended() == "closed"


def test_a_client_that_logs_in_again_stays(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Also when it is logged out a second time: each logout starts 30 seconds of its own."""
    faults.run("client-disconnect")
    broker.run(20, 1)
    assert isinstance(trader.ask(APPLICATION), ProtoOAApplicationAuthRes)
    faults.run("client-disconnect")
    broker.run(20, 1)
    assert not trader.wire.ended(), "the first time is over, the second is not"
    assert isinstance(trader.ask(APPLICATION), ProtoOAApplicationAuthRes)
    for _ in range(4):
        broker.run(20, 1)
        trader.heartbeat()
    assert not trader.wire.ended()


def test_a_symbol_of_which_only_the_name_is_known(broker: Broker, faults: Faults, trader: Peer) -> None:
    """A recording can have such a symbol: the fault is refused with one line."""
    del broker.broker.catalogue.full_symbols[1]
    with pytest.raises(SettingError, match="no more than the name"):
        faults.run("symbol-changed EURUSD 4")


def test_drop(faults: Faults, trader: Peer) -> None:
    """The connection is closed in order."""
    faults.run("drop")
    assert trader.wire.ended() == "closed"


def test_reset(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Half a frame is sent, then the connection is reset."""
    trader.take()
    faults.run("reset")
    data = trader.wire.value()
    assert 4 < len(data) < 4 + int.from_bytes(data[:4], "big")
    broker.run(0.1)
    assert trader.wire.ended() == "reset"


def test_half_open(broker: Broker, faults: Faults, trader: Peer) -> None:
    """The connection stays open and carries nothing in either direction; a new connection works."""
    trader.subscribe(1)
    trader.take()
    faults.run("half-open")
    trader.send(SYMBOLS, "m")
    broker.run(600, 10)
    assert (trader.take(), trader.wire.ended()) == ([], "")
    other = broker.connect()
    other.log_in()
    assert isinstance(other.ask(SYMBOLS), ProtoOASymbolsListRes)


@pytest.mark.parametrize(
    ("fault", "start"),
    [
        ("garbage", b"\0\0\0\x08\xff"),
        ("overlong", b"\x80\0\0\0"),
        ("overlong 16000000", b"\0\xf4\x24\0"),
        ("empty-frame", b"\0\0\0\0"),
    ],
)
def test_bytes_that_are_no_frame(faults: Faults, trader: Peer, fault: str, start: bytes) -> None:
    """Garbage, a length above every limit, an empty frame."""
    trader.take()
    faults.run(fault)
    assert trader.wire.value().startswith(start)


def test_garbage_spot_and_unknown_type(faults: Faults, trader: Peer) -> None:
    """A valid envelope with a payload that cannot be parsed; a payload type that no schema has."""
    trader.take()
    faults.run("garbage-spot; unknown-type")
    broken, unknown = trader.take()
    with pytest.raises(frames.FrameError):
        frames.open_payload(broken)
    assert frames.open_payload(unknown) is None


def test_account_disconnect(broker: Broker, faults: Faults, trader: Peer) -> None:
    """The account is logged out and its ticks stop; it can be authorized again on the same connection."""
    trader.subscribe(1)
    trader.take()
    faults.run("account-disconnect")
    assert [type(m) for m in trader.messages()] == [ProtoOAAccountDisconnectEvent]
    broker.run(5)
    assert not trader.spots()
    assert isinstance(trader.ask(ACCOUNT), ProtoOAAccountAuthRes)
    trader.subscribe(1)


def test_client_disconnect(faults: Faults, trader: Peer) -> None:
    """The application is logged out; the connection stays open."""
    trader.take()
    faults.run("client-disconnect Server restarts")
    (event,) = trader.messages(ProtoOAClientDisconnectEvent)
    assert (event.reason, trader.wire.ended()) == ("Server restarts", "")
    assert trader.ask(SYMBOLS).errorCode == "CH_CLIENT_NOT_AUTHENTICATED"


def test_token_invalidated(faults: Faults, trader: Peer) -> None:
    """Both events are sent; the same token is accepted again."""
    trader.take()
    faults.run("token-invalidated")
    kinds = [type(m) for m in trader.messages()]
    assert kinds == [ProtoOAAccountsTokenInvalidatedEvent, ProtoOAAccountDisconnectEvent]
    assert isinstance(trader.ask(ACCOUNT), ProtoOAAccountAuthRes)


def test_token_expired(faults: Faults, trader: Peer) -> None:
    """The access token is refused; one renewed by the refresh token is accepted."""
    faults.run("token-expired")
    error = trader.ask(ACCOUNT)
    assert (error.errorCode, error.description) == ("CH_ACCESS_TOKEN_INVALID", "Access token expired")
    fresh = trader.ask(ProtoOARefreshTokenReq(refreshToken="sim-refresh"))
    again = ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken=fresh.accessToken)
    assert isinstance(trader.ask(again), ProtoOAAccountAuthRes)


def test_symbol_changed(faults: Faults, trader: Peer) -> None:
    """The event has the symbol's id, and the symbol's details have changed."""
    trader.take()
    faults.run("symbol-changed EURUSD 4")
    (event,) = trader.messages(ProtoOASymbolChangedEvent)
    assert list(event.symbolId) == [1]
    details = trader.ask(ProtoOASymbolByIdReq(ctidTraderAccountId=1001, symbolId=[1]))
    assert details.symbol[0].digits == 4
