"""Depth quotes: a book kept by its events is the server's book."""

from tests.support.broker import Broker, Peer
from tickrelay.openapi.messages_pb2 import (
    ProtoOADepthEvent,
    ProtoOASubscribeDepthQuotesReq,
    ProtoOASubscribeDepthQuotesRes,
    ProtoOAUnsubscribeDepthQuotesReq,
)


def subscribe(*ids: int) -> ProtoOASubscribeDepthQuotesReq:
    """A request for account 1001."""
    return ProtoOASubscribeDepthQuotesReq(ctidTraderAccountId=1001, symbolId=ids)


def keep(book: dict[int, tuple[int, int]], event: ProtoOADepthEvent) -> None:
    """Delete, then insert or replace."""
    for quote_id in event.deletedQuotes:
        del book[quote_id]
    for quote in event.newQuotes:
        book[quote.id] = (quote.bid, quote.ask)


def test_the_whole_book_then_changes(broker: Broker, trader: Peer) -> None:
    """Ten levels around the quote; bids under asks; every deleted id was there."""
    trader.subscribe(1)
    trader.take()
    trader.send(subscribe(1), "m")
    answer, first = trader.messages()
    assert isinstance(answer, ProtoOASubscribeDepthQuotesRes)
    assert len(first.newQuotes) == 10 and not first.deletedQuotes
    book: dict[int, tuple[int, int]] = {}
    keep(book, first)
    broker.run(20)
    events = trader.messages(ProtoOADepthEvent)
    assert len(events) > 5
    for event in events:
        keep(book, event)
        assert len(book) == 10
        assert max(bid for bid, _ in book.values()) < min(ask for _, ask in book.values() if ask)
    last = broker.broker.source.technical(1)
    assert last is not None and max(bid for bid, _ in book.values()) == last.bid


def test_a_client_that_paused_can_keep_its_book(broker: Broker, trader: Peer) -> None:
    """The next event has all changes since the pause: no id is deleted twice, none is left over."""
    trader.subscribe(1)
    trader.take()
    trader.send(subscribe(1), "m")
    book: dict[int, tuple[int, int]] = {}
    for event in trader.messages(ProtoOADepthEvent):
        keep(book, event)
    trader.protocol.pauseProducing()
    broker.run(8)
    trader.protocol.resumeProducing()
    broker.run(10)
    for event in trader.messages(ProtoOADepthEvent):
        keep(book, event)
    assert len(book) == 10


def test_refusals(trader: Peer) -> None:
    """Without spots, twice, and for an unknown symbol."""
    assert trader.ask(subscribe(1)).errorCode == "NOT_SUBSCRIBED_TO_SPOTS"
    trader.subscribe(1)
    assert trader.ask(subscribe(4711)).errorCode == "SYMBOL_NOT_FOUND"
    trader.ask(subscribe(1))
    assert trader.ask(subscribe(1)).errorCode == "ALREADY_SUBSCRIBED"


def test_unsubscribing(broker: Broker, trader: Peer) -> None:
    """No more events are sent; the book is deleted with its last subscription."""
    trader.subscribe(1)
    trader.ask(subscribe(1))
    trader.ask(ProtoOAUnsubscribeDepthQuotesReq(ctidTraderAccountId=1001, symbolId=[1]))
    broker.run(10)
    assert not trader.messages(ProtoOADepthEvent)
    trader.ask(subscribe(1))
    trader.protocol.connectionLost()
    assert not broker.broker.depth._books
