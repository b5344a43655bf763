"""Sustained faults: what a client gets while they are active."""

import pytest
from google.protobuf.message import Message

from tests.support.broker import ACCOUNT, APPLICATION, SYMBOLS, Broker, Peer
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthRes,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolsListRes,
)
from tickrelay.simulator.faults.faults import Faults


def test_deaf(broker: Broker, faults: Faults, trader: Peer) -> None:
    """New connections get no answer either until the fault ends."""
    faults.run("deaf for 60s")
    other = broker.connect()
    other.send(APPLICATION, "m")
    broker.run(59, 1)
    assert (other.take(), other.wire.ended()) == ([], "")
    broker.run(2, 1)
    broker.connect().log_in()


def test_silent_ticks(broker: Broker, faults: Faults, trader: Peer) -> None:
    """No ticks are sent, while heartbeats and answers are."""
    trader.subscribe(1, 2)
    faults.run("silent-ticks for 30s")
    trader.take()
    trader.heartbeat()
    broker.run(20)
    trader.heartbeat()
    assert isinstance(trader.ask(SYMBOLS), ProtoOASymbolsListRes)
    broker.run(9.9)
    assert not trader.spots()
    broker.run(5)
    kinds = {type(m) for m in trader.messages()}
    assert kinds >= {ProtoOASpotEvent}


def test_heartbeats_go_on_without_ticks(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Only heartbeats are sent: a client cannot detect a dead feed by silence of the connection."""
    trader.subscribe(1)
    faults.run("silent-ticks")
    trader.take()
    for _ in range(8):
        trader.heartbeat()
        broker.run(10, 1)
    assert {type(m) for m in trader.messages()} == {ProtoHeartbeatEvent}


def test_slow(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Every answer is delayed and none is lost, also not before a close."""
    faults.run("slow 1s")
    trader.take()
    trader.send(SYMBOLS, "m")
    assert trader.take() == []
    broker.run(1.1)
    assert [e.clientMsgId for e in trader.take()] == ["m"]
    faults.run("drop")
    assert not trader.wire.ended()
    broker.run(1.1)
    assert trader.wire.ended() == "closed"


def test_late(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Ticks are delayed and keep their old timestamps; answers are not delayed."""
    trader.subscribe(1)
    faults.run("late 3s")
    assert isinstance(trader.ask(SYMBOLS), ProtoOASymbolsListRes)
    trader.take()
    broker.run(2.9)
    assert not trader.spots()
    broker.run(5)
    spots = trader.spots()
    assert spots
    assert all(broker.broker.now() * 1000 - spot.timestamp >= 2900 for spot in spots)


def test_reorder(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Ticks of different symbols change their order, those of one symbol never do."""
    trader.subscribe(1, 2, 3, 9, 41, 59)
    faults.run("reorder")
    trader.take()
    broker.run(20)
    spots = trader.spots()
    times = [spot.timestamp for spot in spots]
    assert times != sorted(times)
    for symbol_id in (1, 2, 3, 9, 41, 59):
        own = [spot.timestamp for spot in spots if spot.symbolId == symbol_id]
        assert own == sorted(own) != []


def test_no_timestamps(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Ticks have no timestamp, although the subscription asked for it."""
    trader.subscribe(1)
    faults.run("no-timestamps")
    trader.take()
    broker.run(10)
    assert not any(spot.HasField("timestamp") for spot in trader.spots())


@pytest.mark.parametrize(
    ("fault", "request_"), [("hang", ACCOUNT), ("hang app-auth", APPLICATION), ("hang all", ACCOUNT)]
)
def test_hang(broker: Broker, faults: Faults, peer: Peer, fault: str, request_: Message) -> None:
    """The request is never answered; others are."""
    if request_ is ACCOUNT:
        peer.ask(APPLICATION)
    faults.run(f"{fault} for 20s")
    peer.take()
    peer.send(request_, "m")
    broker.run(19)
    assert peer.take() == []
    broker.run(2)
    peer.send(request_, "again")
    assert [e.clientMsgId for e in peer.take()] == ["again"]


def test_refuse(faults: Faults, peer: Peer) -> None:
    """Any request can be refused with any code."""
    peer.ask(APPLICATION)
    faults.run("refuse account-auth CANT_ROUTE_REQUEST Trading server is away")
    error = peer.ask(ACCOUNT)
    assert (error.errorCode, error.description) == ("CANT_ROUTE_REQUEST", "Trading server is away")
    faults.run("clear")
    assert isinstance(peer.ask(ACCOUNT), ProtoOAAccountAuthRes)


def test_refused_credentials_close_the_connection(faults: Faults, peer: Peer) -> None:
    """The connection is closed after the error, as by the real server."""
    faults.run("refuse app-auth")
    assert peer.ask(APPLICATION).errorCode == "CH_CLIENT_AUTH_FAILURE"
    assert peer.wire.ended() == "closed"


def test_rate_limit(faults: Faults, trader: Peer) -> None:
    """The error has the code and the time to wait."""
    faults.run("rate-limit subscribe 7s")
    error = trader.ask(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1]))
    assert (error.errorCode, error.retryAfter) == ("BLOCKED_PAYLOAD_TYPE", 7)
    assert isinstance(trader.ask(SYMBOLS), ProtoOASymbolsListRes)


@pytest.mark.parametrize(("words", "unit"), [("60s", 1), ("60s ms", 1000), ("60s common", 1000)])
def test_maintenance(broker: Broker, faults: Faults, peer: Peer, words: str, unit: int) -> None:
    """Everything is refused until the end, which the error gives in seconds or milliseconds."""
    faults.run(f"maintenance {words} for 60s")
    error = peer.ask(APPLICATION)
    assert type(error).__name__ == ("ProtoErrorRes" if "common" in words else "ProtoOAErrorRes")
    assert error.errorCode == "SERVER_IS_UNDER_MAINTENANCE"
    assert error.maintenanceEndTimestamp == round((broker.broker.now() + 60) * unit)
    broker.run(61, 1)
    broker.connect().log_in()


def test_burst(broker: Broker, faults: Faults, trader: Peer) -> None:
    """A hundred times the ticks for some seconds, then the usual again."""
    trader.subscribe(1)
    trader.take()
    broker.run(5)
    usual = len(trader.spots())
    faults.run("burst")
    broker.run(5)
    many = len(trader.spots())
    assert many > 30 * max(1, usual)
    broker.run(5)
    assert len(trader.spots()) < many / 10


def test_markets_closed(broker: Broker, faults: Faults, trader: Peer) -> None:
    """No ticks; a subscription still gets its technical event, with the old time."""
    faults.run("markets-closed for 60s")
    broker.run(10)
    trader.take()
    trader.send(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1], subscribeToSpotTimestamp=True))
    (event,) = trader.spots()
    assert event.timestamp <= (broker.broker.now() - 10) * 1000
    trader.heartbeat()
    broker.run(20)
    assert not trader.spots()


def test_no_connections_and_slow_close(broker: Broker, faults: Faults, trader: Peer) -> None:
    """New connections are closed at once; a close can take its time."""
    faults.run("no-connections for 5s")
    assert broker.connect().wire.ended() == "closed"
    broker.run(6)
    faults.run("slow-close 3s; drop")
    assert not trader.wire.ended()
    broker.run(3.1)
    assert trader.wire.ended() == "closed"
