"""Depth quotes: a small order book a symbol, around its quote, sent as changes.

The first event after a subscription is the whole book (all clients assume so); later ones delete ids and bring new
ones. Prices are 1/100000, sizes 1/100 of a unit (Open API documentation).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tickrelay.model.quotes import Quote
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import ProtoOADepthEvent
from tickrelay.openapi.model_pb2 import ProtoOADepthQuote
from tickrelay.simulator.peer import Subscriber

LEVELS = 5


class Book:
    """The book of one symbol: price -> quote, for each side."""

    def __init__(self, symbol_id: int, unit: int, rng: random.Random) -> None:
        self.symbol_id = symbol_id
        self._unit = unit
        self._rng = rng
        self._next_id = symbol_id * 1_000_000
        self._bids: dict[int, ProtoOADepthQuote] = {}
        self._asks: dict[int, ProtoOADepthQuote] = {}

    def quotes(self) -> dict[int, ProtoOADepthQuote]:
        """All quotes by their ids."""
        return {quote.id: quote for side in (self._bids, self._asks) for quote in side.values()}

    def follow(self, quote: Quote) -> None:
        """Arrange the book around a quote: some levels stay, others go, new ones come."""
        for side, best, step in ((self._bids, quote.bid, -1), (self._asks, quote.ask, 1)):
            last = best + step * self._unit * 4 * LEVELS
            for price in list(side):
                away = not min(best, last) <= price <= max(best, last)
                if away or (price != best and self._rng.random() < 0.1):
                    del side[price]
            if best not in side:
                side[best] = self._new(best, step)
            while len(side) > LEVELS:
                del side[max(side, key=lambda price, best=best: abs(price - best))]  # type: ignore[misc]
            price = best
            while len(side) < LEVELS:
                if price not in side:
                    side[price] = self._new(price, step)
                price += step * self._unit * self._rng.randint(1, 3)

    def _new(self, price: int, step: int) -> ProtoOADepthQuote:
        self._next_id += 1
        size = 100 * self._rng.randint(1, 50) * 100_000
        if step < 0:
            return ProtoOADepthQuote(id=self._next_id, size=size, bid=max(1, price))
        return ProtoOADepthQuote(id=self._next_id, size=size, ask=price)


@dataclass(slots=True)
class DepthSubscription:
    """One account's depth subscription on one connection."""

    session: Subscriber
    account_id: int
    known: set[int] | None = None
    """The ids that the client holds, where it has missed changes; None: it has them all."""


class DepthBooks:
    """The order books of symbols whose depth is subscribed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._books: dict[int, Book] = {}
        self._subscribed: dict[int, dict[tuple[int, int], DepthSubscription]] = {}

    def subscribed(self, key: tuple[int, int], symbol_id: int) -> bool:
        """Has this account on this connection (number, account id) subscribed the symbol's depth?"""
        return key in self._subscribed.get(symbol_id, {})

    def subscribe(self, subscription: DepthSubscription, last: Quote | None, unit: int) -> ProtoOADepthEvent:
        """Begin; returns the event with the whole book of the quote's symbol."""
        assert last is not None
        symbol_id = last.symbol_id
        book = self._books.get(symbol_id)
        if book is None:
            book = self._books[symbol_id] = Book(symbol_id, unit, random.Random(f"{self._seed}/depth/{symbol_id}"))
            book.follow(last)
        key = subscription.session.number, subscription.account_id
        self._subscribed.setdefault(symbol_id, {})[key] = subscription
        return ProtoOADepthEvent(
            ctidTraderAccountId=subscription.account_id, symbolId=symbol_id, newQuotes=book.quotes().values()
        )

    def unsubscribe(self, key: tuple[int, int], symbol_id: int) -> None:
        """End a subscription, if there is one; a book without subscribers is dropped."""
        subscriptions = self._subscribed.get(symbol_id, {})
        subscriptions.pop(key, None)
        if not subscriptions:
            self._subscribed.pop(symbol_id, None)
            self._books.pop(symbol_id, None)

    def forget(self, number: int, account_id: int | None = None) -> None:
        """Drop all of a connection, or of one account on it."""
        for symbol_id, subscriptions in list(self._subscribed.items()):
            for key in [k for k in subscriptions if k[0] == number and account_id in (None, k[1])]:
                self.unsubscribe(key, symbol_id)

    def follow(self, quotes: Sequence[Quote]) -> list[tuple[Subscriber, bytes]]:
        """Move the books to the quotes; returns the frames to send, each with its connection."""
        if not self._subscribed:
            return []
        found = []
        for quote in quotes:
            subscriptions = self._subscribed.get(quote.symbol_id)
            if not subscriptions:
                continue
            book = self._books[quote.symbol_id]
            before = book.quotes()
            book.follow(quote)
            after = book.quotes()
            whole: dict[int, bytes] = {}
            for subscription in subscriptions.values():
                if subscription.session.paused:
                    if subscription.known is None:
                        subscription.known = set(before)
                    continue
                known, subscription.known = subscription.known, None
                frame = None if known is not None else whole.get(subscription.account_id)
                if frame is None:
                    held = set(before) if known is None else known
                    frame = frames.encode(
                        ProtoOADepthEvent(
                            ctidTraderAccountId=subscription.account_id,
                            symbolId=quote.symbol_id,
                            newQuotes=[q for i, q in after.items() if i not in held],
                            deletedQuotes=sorted(held - set(after)),
                        )
                    )
                    if known is None:
                        whole[subscription.account_id] = frame
                found.append((subscription.session, frame))
        return found
