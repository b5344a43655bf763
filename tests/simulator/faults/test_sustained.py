"""Sustained faults: when they end, what they leave behind, and the trading hours that clients get meanwhile."""

import pytest

from tests.support.broker import APPLICATION, Broker, Peer
from tickrelay.model.errors import SettingError
from tickrelay.model.schedule import Schedule
from tickrelay.openapi.messages_pb2 import (
    ProtoOAApplicationAuthRes,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolByIdReq,
    ProtoOASymbolChangedEvent,
)
from tickrelay.simulator.active_faults import ActiveFaults
from tickrelay.simulator.faults.faults import Faults
from tickrelay.upstream.symbol_values import DetailsMaker


@pytest.mark.parametrize(
    ("fault", "told_s", "lasts_s"),
    [
        ("maintenance 3s", 3, 3),
        ("maintenance", 30, 30),
        ("maintenance ms", 30, 30),
        ("maintenance for 60s", 60, 60),
        ("maintenance common for 1234567s", 1_234_567, 1_234_567),
        ("maintenance 3s for 10s", 3, 10),
        ("maintenance 3s common for 2s", 3, 2),
    ],
)
def test_a_maintenance_ends_when_it_said(
    broker: Broker, faults: Faults, fault: str, told_s: float, lasts_s: float
) -> None:
    """It ends at the announced time, unless ``for`` gives another duration."""
    faults.run(fault)
    error = broker.connect().ask(APPLICATION)
    end = error.maintenanceEndTimestamp / (1000 if "ms" in fault or "common" in fault else 1)
    assert end == pytest.approx(broker.broker.now() + told_s, abs=0.6)
    broker.clock.advance(lasts_s - 1)
    assert broker.connect().ask(APPLICATION).errorCode == "SERVER_IS_UNDER_MAINTENANCE"
    broker.clock.advance(1.1)
    assert isinstance(broker.connect().ask(APPLICATION), ProtoOAApplicationAuthRes)


def schedule(trader: Peer, symbol_id: int = 1) -> Schedule:
    """A symbol's trading hours as the client gets them."""
    answer = trader.ask(ProtoOASymbolByIdReq(ctidTraderAccountId=1001, symbolId=[symbol_id]))
    return DetailsMaker().make(answer.symbol[0]).schedule


def test_a_closed_market_is_told_and_so_is_its_opening(broker: Broker, faults: Faults, trader: Peer) -> None:
    """Event 2120 for every symbol and hours without the present moment; afterwards the old hours, and ticks at once."""
    trader.subscribe(1)
    usual = schedule(trader)
    trader.take()
    faults.run("markets-closed for 60s")
    (event,) = trader.messages(ProtoOASymbolChangedEvent)
    assert set(event.symbolId) == set(broker.broker.catalogue.full_symbols)
    shut = schedule(trader)
    now_s = broker.broker.now()
    assert not any(shut.is_open(now_s + hour * 3600) for hour in range(24 * 14))
    assert schedule(broker_client(broker)) == shut, "who comes later is told the same"
    for _ in range(2):
        broker.run(20)
        trader.heartbeat()
    assert not trader.spots()
    broker.run(20.1)
    assert [list(m.symbolId) for m in trader.messages(ProtoOASymbolChangedEvent)] == [list(event.symbolId)]
    assert schedule(trader) == usual
    broker.run(5)
    assert trader.spots()


def broker_client(broker: Broker) -> Peer:
    """Another client whose account is open."""
    other = broker.connect()
    other.log_in()
    return other


def test_a_market_that_closes_unannounced(broker: Broker, faults: Faults, trader: Peer) -> None:
    """No event, the same hours, and no ticks."""
    usual = schedule(trader)
    trader.subscribe(1)
    trader.take()
    faults.run("markets-closed unannounced for 20s")
    broker.run(10)
    assert trader.messages() == []
    assert schedule(trader) == usual
    broker.run(10.1)
    trader.take()
    broker.run(5)
    assert trader.spots()


def test_one_of_two_faults_ends(broker: Broker, faults: Faults, trader: Peer) -> None:
    """The effect of the other stays and is not announced again; when both have ended all is as before."""
    faults.run(
        "silent-ticks for 5s; silent-ticks for 10s; hang symbols for 5s; hang symbols refresh for 10s; slow 1s for 10s;"
        "slow 2s for 5s; refuse all UNKNOWN_ERROR for 10s; maintenance 5s; burst 3 for 10s; burst 7 for 5s;"
        "markets-closed for 5s; markets-closed for 10s"
    )
    broker.run(5.1)
    active, simulated = broker.broker.active_faults, broker.broker
    assert active.silent_ticks and active.delay_s == 1 and active.hung == {2114, 2173}
    refusal = active.refusal(2100)
    assert refusal is not None and refusal.code == "UNKNOWN_ERROR"
    assert (simulated.source.rate, simulated.source.shut, simulated.closure_announced) == (3, True, True)
    broker.run(5.1)
    assert active == ActiveFaults()
    assert (simulated.source.rate, simulated.source.shut, simulated.closure_announced) == (1, False, False)


def test_a_rate_limit_of_less_than_a_second_has_a_time_to_wait(faults: Faults, trader: Peer) -> None:
    """retryAfter has whole seconds: a fraction is rounded up, not down to 0."""
    faults.run("rate-limit subscribe 200ms")
    assert trader.ask(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1])).retryAfter == 1


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("maintenance 3s foo", "'foo' is neither ms nor common"),
        ("maintenance 0s", "longer than no time"),
        ("maintenance 99999999999999999999h", "longer than a year"),
        ("drop for 99999999999999999999h", "longer than a year"),
        ("silent-ticks for 0s", "it would last no time"),
        ("markets-closed quietly", "'quietly' is not unannounced"),
        ("drop everything", "'everything' is one word too many"),
        ("clear all", "'all' is one word too many"),
        ("slow 1s 2s", "'2s' is one word too many"),
        ("account-disconnect all", "'all' is no whole number"),
        ("overlong much", "'much' is no whole number"),
        ("burst zero", "up to 10000 times the usual, not 'zero'"),
        ("burst nan", "up to 10000 times the usual, not 'nan'"),
    ],
)
def test_words_that_make_no_sense(faults: Faults, trader: Peer, script: str, said: str) -> None:
    """The error names them and nothing is run: a typing mistake must not select the fault's default."""
    trader.take()
    with pytest.raises(SettingError, match=f"^fault script: .*{said}"):
        faults.run(script)
    assert faults.sustained == [] and trader.take() == [] and not trader.wire.ended()
