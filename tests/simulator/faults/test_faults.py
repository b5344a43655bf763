"""Faults on demand, as a client sees them."""

from typing import Any

import pytest

from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAAccountAuthRes,
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAApplicationAuthReq,
    ProtoOAClientDisconnectEvent,
    ProtoOARefreshTokenReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolByIdReq,
    ProtoOASymbolChangedEvent,
    ProtoOASymbolsListReq,
    ProtoOASymbolsListRes,
)
from tickrelay.simulator.faults.faults import FAULTS, Faults

APPLICATION = ProtoOAApplicationAuthReq(clientId="sim", clientSecret="sim-secret")
ACCOUNT = ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken="sim-token")
SYMBOLS = ProtoOASymbolsListReq(ctidTraderAccountId=1001)


@pytest.fixture
def faults(broker: Any) -> Faults:
    """Runs faults."""
    return Faults(broker.broker, broker.clock)


def test_drop(faults: Faults, trader: Any) -> None:
    """An orderly close."""
    faults.run("drop")
    assert trader.wire.ended == "closed"


def test_reset(broker: Any, faults: Faults, trader: Any) -> None:
    """Half a frame, then the reset."""
    trader.take()
    faults.run("reset")
    data = trader.wire.value()
    assert 4 < len(data) < 4 + int.from_bytes(data[:4], "big")
    broker.run(0.1)
    assert trader.wire.ended == "reset"


def test_half_open(broker: Any, faults: Faults, trader: Any) -> None:
    """The connection stands and says nothing; a new one works."""
    trader.subscribe(1)
    trader.take()
    faults.run("half-open")
    trader.send(SYMBOLS, "m")
    broker.run(600, 10)
    assert (trader.take(), trader.wire.ended) == ([], "")
    other = broker.connect()
    other.log_in()
    assert isinstance(other.ask(SYMBOLS), ProtoOASymbolsListRes)


def test_deaf(broker: Any, faults: Faults, trader: Any) -> None:
    """New connections get no word either, until it is over."""
    faults.run("deaf for 60s")
    other = broker.connect()
    other.send(APPLICATION, "m")
    broker.run(59, 1)
    assert (other.take(), other.wire.ended) == ([], "")
    broker.run(2, 1)
    broker.connect().log_in()


def test_silent_ticks(broker: Any, faults: Faults, trader: Any) -> None:
    """No ticks, but heartbeats and answers."""
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


def test_heartbeats_go_on_without_ticks(broker: Any, faults: Faults, trader: Any) -> None:
    """That is what makes a dead feed hard to see."""
    trader.subscribe(1)
    faults.run("silent-ticks")
    trader.take()
    for _ in range(8):
        trader.heartbeat()
        broker.run(10, 1)
    assert {type(m) for m in trader.messages()} == {ProtoHeartbeatEvent}


def test_slow(broker: Any, faults: Faults, trader: Any) -> None:
    """Every answer comes late, none is lost, also before a close."""
    faults.run("slow 1s")
    trader.take()
    trader.send(SYMBOLS, "m")
    assert trader.take() == []
    broker.run(1.1)
    assert [e.clientMsgId for e in trader.take()] == ["m"]
    faults.run("drop")
    assert not trader.wire.ended
    broker.run(1.1)
    assert trader.wire.ended == "closed"


def test_late(broker: Any, faults: Faults, trader: Any) -> None:
    """Ticks come late and are old; answers are not."""
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


def test_reorder(broker: Any, faults: Faults, trader: Any) -> None:
    """Symbols overtake each other, a symbol's own ticks never do."""
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


def test_no_timestamps(broker: Any, faults: Faults, trader: Any) -> None:
    """Asked for or not, there is no time."""
    trader.subscribe(1)
    faults.run("no-timestamps")
    trader.take()
    broker.run(10)
    assert not any(spot.HasField("timestamp") for spot in trader.spots())


@pytest.mark.parametrize(
    ("fault", "start"),
    [
        ("garbage", b"\0\0\0\x08\xff"),
        ("overlong", b"\x80\0\0\0"),
        ("overlong 16000000", b"\0\xf4\x24\0"),
        ("empty-frame", b"\0\0\0\0"),
    ],
)
def test_bytes_that_are_no_frame(faults: Faults, trader: Any, fault: str, start: bytes) -> None:
    """Garbage, a length over every limit, nothing at all."""
    trader.take()
    faults.run(fault)
    assert trader.wire.value().startswith(start)


def test_garbage_spot_and_unknown_type(faults: Faults, trader: Any) -> None:
    """A good envelope around a broken payload; a type that no schema has."""
    trader.take()
    faults.run("garbage-spot; unknown-type")
    broken, unknown = trader.take()
    with pytest.raises(frames.FrameError):
        frames.open_payload(broken)
    assert frames.open_payload(unknown) is None


@pytest.mark.parametrize(
    ("fault", "request_"), [("hang", ACCOUNT), ("hang app-auth", APPLICATION), ("hang all", ACCOUNT)]
)
def test_hang(broker: Any, faults: Faults, peer: Any, fault: str, request_: Any) -> None:
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


def test_refuse(faults: Faults, peer: Any) -> None:
    """Any request can be refused with any code."""
    peer.ask(APPLICATION)
    faults.run("refuse account-auth CANT_ROUTE_REQUEST Trading server is away")
    error = peer.ask(ACCOUNT)
    assert (error.errorCode, error.description) == ("CANT_ROUTE_REQUEST", "Trading server is away")
    faults.run("clear")
    assert isinstance(peer.ask(ACCOUNT), ProtoOAAccountAuthRes)


def test_refused_credentials_close_the_connection(faults: Faults, peer: Any) -> None:
    """As the real server does it."""
    faults.run("refuse app-auth")
    assert peer.ask(APPLICATION).errorCode == "CH_CLIENT_AUTH_FAILURE"
    assert peer.wire.ended == "closed"


def test_rate_limit(faults: Faults, trader: Any) -> None:
    """The code, and the time to wait."""
    faults.run("rate-limit subscribe 7s")
    error = trader.ask(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1]))
    assert (error.errorCode, error.retryAfter) == ("BLOCKED_PAYLOAD_TYPE", 7)
    assert isinstance(trader.ask(SYMBOLS), ProtoOASymbolsListRes)


@pytest.mark.parametrize(("words", "unit"), [("60s", 1), ("60s ms", 1000), ("60s common", 1000)])
def test_maintenance(broker: Any, faults: Faults, peer: Any, words: str, unit: int) -> None:
    """Everything is refused until the end, which is told in seconds or milliseconds."""
    faults.run(f"maintenance {words} for 60s")
    error = peer.ask(APPLICATION)
    assert type(error).__name__ == ("ProtoErrorRes" if "common" in words else "ProtoOAErrorRes")
    assert error.errorCode == "SERVER_IS_UNDER_MAINTENANCE"
    assert error.maintenanceEndTimestamp == round((broker.broker.now() + 60) * unit)
    broker.run(61, 1)
    broker.connect().log_in()


def test_account_disconnect(broker: Any, faults: Faults, trader: Any) -> None:
    """The account is out and its ticks stop; it can come back on the same connection."""
    trader.subscribe(1)
    trader.take()
    faults.run("account-disconnect")
    assert [type(m) for m in trader.messages()] == [ProtoOAAccountDisconnectEvent]
    broker.run(5)
    assert not trader.spots()
    assert isinstance(trader.ask(ACCOUNT), ProtoOAAccountAuthRes)
    trader.subscribe(1)


def test_client_disconnect(faults: Faults, trader: Any) -> None:
    """The application is out, the socket stands."""
    trader.take()
    faults.run("client-disconnect Server restarts")
    (event,) = trader.messages(ProtoOAClientDisconnectEvent)
    assert (event.reason, trader.wire.ended) == ("Server restarts", "")
    assert trader.ask(SYMBOLS).errorCode == "CH_CLIENT_NOT_AUTHENTICATED"


def test_token_invalidated(faults: Faults, trader: Any) -> None:
    """Both events come; the same token is good again."""
    trader.take()
    faults.run("token-invalidated")
    kinds = [type(m) for m in trader.messages()]
    assert kinds == [ProtoOAAccountsTokenInvalidatedEvent, ProtoOAAccountDisconnectEvent]
    assert isinstance(trader.ask(ACCOUNT), ProtoOAAccountAuthRes)


def test_token_expired(faults: Faults, trader: Any) -> None:
    """The token is no good any more; a refresh mends it."""
    faults.run("token-expired")
    error = trader.ask(ACCOUNT)
    assert (error.errorCode, error.description) == ("CH_ACCESS_TOKEN_INVALID", "Access token expired")
    fresh = trader.ask(ProtoOARefreshTokenReq(refreshToken="sim-refresh"))
    again = ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken=fresh.accessToken)
    assert isinstance(trader.ask(again), ProtoOAAccountAuthRes)


def test_symbol_changed(faults: Faults, trader: Any) -> None:
    """The event names the id, and the symbol is another one then."""
    trader.take()
    faults.run("symbol-changed EURUSD 4")
    (event,) = trader.messages(ProtoOASymbolChangedEvent)
    assert list(event.symbolId) == [1]
    details = trader.ask(ProtoOASymbolByIdReq(ctidTraderAccountId=1001, symbolId=[1]))
    assert details.symbol[0].digits == 4


def test_burst(broker: Any, faults: Faults, trader: Any) -> None:
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


def test_markets_closed(broker: Any, faults: Faults, trader: Any) -> None:
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


def test_no_connections_and_slow_close(broker: Any, faults: Faults, trader: Any) -> None:
    """New connections are closed at once; a close can take its time."""
    faults.run("no-connections for 5s")
    assert broker.connect().wire.ended == "closed"
    broker.run(6)
    faults.run("slow-close 3s; drop")
    assert not trader.wire.ended
    broker.run(3.1)
    assert trader.wire.ended == "closed"


def test_times_of_a_script(broker: Any, faults: Faults, trader: Any) -> None:
    """Statements run at their times, again where they say every, and end when they say for."""
    faults.run("at 10s: silent-ticks for 5s; every 20s: hang all for 1s")
    assert faults.lasting == []
    broker.run(11)
    assert faults.lasting == ["silent-ticks for 5s"]
    broker.run(5)
    assert faults.lasting == []
    broker.run(4.5)
    assert faults.lasting == ["hang all for 1s"]
    broker.run(20)
    assert faults.lasting == ["hang all for 1s"]
    faults.run("clear")
    broker.run(30)
    assert faults.lasting == []


def test_a_script_with_a_mistake_does_nothing(faults: Faults, trader: Any) -> None:
    """An unknown fault is named with those that exist, and the statements before it have not run."""
    with pytest.raises(SettingError, match="no fault 'dorp'; there are clear, drop"):
        faults.run("drop; dorp")
    assert not trader.wire.ended
    for bad in ("hang nobody", "burst zero", "slow 1x", "symbol-changed NOPE", "overlong 99999999999"):
        with pytest.raises(SettingError, match="fault script"):
            faults.run(bad)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_runs_without_a_word_more(broker: Any, faults: Faults, trader: Any, name: str) -> None:
    """Each has defaults, says what it is, and can be cleared."""
    assert FAULTS[name].about.endswith(".")
    trader.subscribe(1)
    faults.run(name)
    broker.run(1)
    faults.run("clear")
    assert faults.lasting == []


def test_a_mistake_that_shows_when_it_is_due_is_logged(
    broker: Any, faults: Faults, trader: Any, logged: list[dict[str, Any]]
) -> None:
    """The statement and what is wrong; the others go on."""
    faults.run("at 1s: symbol-changed NOPE; at 2s: drop")
    broker.run(3)
    (line,) = [event for event in logged if "fault {fault}: {error}" == event.get("log_format")]
    assert "no symbol 'NOPE'" in str(line["error"])
    assert trader.wire.ended == "closed"


def test_so_many_faults_at_a_time(faults: Faults) -> None:
    """There is a bound."""
    with pytest.raises(SettingError, match="more than 1000"):
        faults.run("at 1s: drop;" * 1001)
