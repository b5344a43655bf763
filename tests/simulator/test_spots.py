"""Spot events: the technical one, the partial ones, and the end of a subscription."""

from collections.abc import Callable

import pytest

from tests.support.broker import Broker, Peer
from tickrelay.openapi.messages_pb2 import (
    ProtoOASubscribeSpotsReq,
    ProtoOASubscribeSpotsRes,
    ProtoOAUnsubscribeSpotsReq,
)


def subscribe(*ids: int) -> ProtoOASubscribeSpotsReq:
    """A request for account 1001."""
    return ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=ids, subscribeToSpotTimestamp=True)


def unsubscribe(*ids: int) -> ProtoOAUnsubscribeSpotsReq:
    """A request for account 1001."""
    return ProtoOAUnsubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=ids)


def test_the_answer_then_one_technical_event_a_symbol(broker: Broker, trader: Peer) -> None:
    """Both sides, the session's close and an old timestamp."""
    trader.take()
    trader.send(subscribe(1, 41), "m")
    answer, *events = trader.messages()
    assert isinstance(answer, ProtoOASubscribeSpotsRes)
    assert [event.symbolId for event in events] == [1, 41]
    for event in events:
        assert event.bid and event.ask > event.bid and event.sessionClose
        assert event.timestamp < broker.broker.now() * 1000


def test_later_events_carry_only_what_changed(broker: Broker, trader: Peer) -> None:
    """Bid only, ask only and both are seen; forward-filled, the quote is never crossed."""
    trader.take()
    trader.send(subscribe(1), "m")
    _, first = trader.messages()
    bid, ask = first.bid, first.ask
    trader.heartbeat()
    broker.run(25)
    events = trader.spots()
    kinds = set()
    for event in events:
        assert not event.HasField("sessionClose")
        kinds.add((event.HasField("bid"), event.HasField("ask")))
        assert (event.bid or bid, event.ask or ask) != (bid, ask)
        bid, ask = event.bid or bid, event.ask or ask
        assert bid < ask
    assert kinds == {(True, False), (False, True), (True, True)}
    assert [e.timestamp for e in events] == sorted({e.timestamp for e in events})


def test_no_timestamp_unless_asked_for(broker: Broker, trader: Peer) -> None:
    """subscribeToSpotTimestamp decides, also on the technical event."""
    trader.take()
    trader.send(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1]))
    broker.run(10)
    events = trader.spots()
    assert len(events) > 5
    assert not any(event.HasField("timestamp") for event in events)


def test_subscribing_twice_is_refused_without_a_word(trader: Peer) -> None:
    """ALREADY_SUBSCRIBED, without a description."""
    trader.ask(subscribe(1))
    error = trader.ask(subscribe(1))
    assert (error.errorCode, error.HasField("description")) == ("ALREADY_SUBSCRIBED", False)


def test_an_unknown_or_disabled_symbol_fails_the_batch(broker: Broker, trader: Peer) -> None:
    """Nothing of the batch is subscribed."""
    for bad in (4711, 65):
        assert trader.ask(subscribe(1, bad)).errorCode == "SYMBOL_NOT_FOUND"
    assert isinstance(trader.ask(subscribe(1)), ProtoOASubscribeSpotsRes)


def test_the_batch_can_also_go_through_without_the_unknown_one(make_broker: Callable[..., Broker]) -> None:
    """Which of both the real server does is not known, so it is a rule."""
    peer = make_broker(unknown_symbol_fails_batch=False).connect()
    peer.log_in()
    assert isinstance(peer.ask(subscribe(1, 4711)), ProtoOASubscribeSpotsRes)
    assert peer.ask(subscribe(1)).errorCode == "ALREADY_SUBSCRIBED"


@pytest.mark.parametrize("refused", [True, False])
def test_a_batch_with_some_already_subscribed(make_broker: Callable[..., Broker], refused: bool) -> None:
    """By the switch the whole batch is refused, or the rest goes through."""
    peer = make_broker(mixed_batch_refused=refused).connect()
    peer.log_in()
    peer.ask(subscribe(1))
    assert isinstance(peer.ask(subscribe(1, 2)), ProtoOASubscribeSpotsRes) is not refused


@pytest.mark.parametrize("fine", [True, False])
def test_unsubscribing_what_is_not_subscribed(make_broker: Callable[..., Broker], fine: bool) -> None:
    """By the switch it succeeds, or is refused."""
    peer = make_broker(unsubscribe_unknown_ok=fine).connect()
    peer.log_in()
    answer = peer.ask(unsubscribe(1))
    assert getattr(answer, "errorCode", "") == ("" if fine else "NOT_SUBSCRIBED_TO_SPOTS")


def test_late_ticks_after_unsubscribing(make_broker: Callable[..., Broker]) -> None:
    """Some events may still come for a moment, then none; subscribing anew in between works."""
    broker = make_broker(settings={"rate": 20.0}, late_ticks_s=0.2)
    peer = broker.connect()
    peer.log_in()
    peer.ask(subscribe(1))
    broker.run(1)
    peer.ask(unsubscribe(1))
    broker.run(0.2)
    assert peer.spots()
    broker.run(1)
    assert not peer.spots()
    peer.ask(subscribe(1))
    peer.ask(unsubscribe(1))
    peer.ask(subscribe(1))
    broker.run(1)
    assert peer.spots()


def test_accounts_and_connections_are_apart(broker: Broker) -> None:
    """Each account on each connection gets its own events, with its own account id."""
    one, other = broker.connect(), broker.connect()
    one.log_in(1001)
    other.log_in(1002)
    one.subscribe(1)
    other.subscribe(2, account_id=1002)
    broker.run(5)
    assert {(e.ctidTraderAccountId, e.symbolId) for e in one.spots()} == {(1001, 1)}
    assert {(e.ctidTraderAccountId, e.symbolId) for e in other.spots()} == {(1002, 2)}


def test_nothing_is_left_of_a_lost_connection(broker: Broker, trader: Peer) -> None:
    """Subscriptions go with the connection."""
    trader.subscribe(1, 2)
    trader.protocol.connectionLost()
    broker.run(2)
    assert not broker.broker.sessions


def test_the_same_seed_gives_the_same_stream(make_broker: Callable[..., Broker]) -> None:
    """The stream depends on the seed alone, not on other connections."""
    streams = []
    for others in (0, 3):
        broker = make_broker(settings={"seed": 7})
        peers = [broker.connect() for _ in range(others + 1)]
        for peer in peers:
            peer.log_in()
        for peer in peers[1:]:
            peer.subscribe(2, 3, 4)
        peers[0].subscribe(1)
        base = broker.clock.seconds()
        broker.run(10)
        streams.append([(e.bid, e.ask) for e in peers[0].spots()])
        assert broker.clock.seconds() > base
    assert streams[0] == streams[1] != []


def test_market_time_can_run_faster(make_broker: Callable[..., Broker]) -> None:
    """At speed 60 a second holds a minute of the market, with its timestamps; cut-offs keep the clock's time."""
    broker = make_broker(settings={"speed": 60.0})
    peer = broker.connect()
    peer.log_in()
    peer.subscribe(1)
    broker.run(20, 0.01)
    events = peer.spots()
    assert len(events) > 60 * 20 * 0.2
    assert 19 * 60_000 < events[-1].timestamp - events[0].timestamp < 21 * 60_000
    assert not peer.wire.ended()
