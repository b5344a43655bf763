"""Spot subscriptions, and the bytes of spot events.

The first event after a subscription is technical: both sides, the last tick's old time and the session's close.
Later ones carry only the sides that changed. Prices are 1/100000 whatever the digits (Open API documentation).
"""

from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall

from tickrelay.model.quotes import ASK, BID, Quote
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent
from tickrelay.simulator.market.history import History
from tickrelay.simulator.peer import Subscriber


@dataclass(slots=True, eq=False)
class Subscription:
    """One account's subscription of one symbol on one connection."""

    session: Subscriber
    account_id: int
    timestamps: bool
    ending: IDelayedCall | None = None
    """Unsubscribed; until this call late ticks may still come."""
    periods: tuple[int, ...] = field(default=())
    """Live trendbars that were asked for, by period number."""
    missed: bool = False
    """Quotes were skipped while the client did not read: the next event carries both sides."""

    def end(self) -> None:
        """No late ticks either."""
        if self.ending is not None:
            self.ending.cancel()
            self.ending = None


class SpotFrames:
    """The frames of one quote: one for all subscriptions that get the same bytes."""

    __slots__ = ("_frames", "_history", "_quote", "_timestamps")

    def __init__(self, quote: Quote, timestamps: bool, history: History) -> None:
        self._history = history
        self._quote = quote
        self._timestamps = timestamps
        self._frames: dict[tuple[object, ...], bytes] = {}

    def frame(self, subscription: Subscription) -> bytes:
        """The frame for one subscription."""
        key = (subscription.account_id, subscription.timestamps, subscription.missed, subscription.periods)
        found = self._frames.get(key)
        if found is None:
            quote = self._quote
            event = ProtoOASpotEvent(ctidTraderAccountId=subscription.account_id, symbolId=quote.symbol_id)
            if quote.changed & BID or subscription.missed:
                event.bid = quote.bid
            if quote.changed & ASK or subscription.missed:
                event.ask = quote.ask
            if quote.session_close:
                event.sessionClose = quote.session_close
            if self._timestamps and subscription.timestamps and quote.time_ms:
                event.timestamp = quote.time_ms
            if subscription.periods and event.bid:  # no bar without a bid (seen on the live server)
                history = self._history.of(quote.symbol_id)
                bars = ((period, history.live(period)) for period in subscription.periods)
                event.trendbar.extend(bar.live(period) for period, bar in bars if bar is not None)
            found = self._frames[key] = frames.encode(event)
        subscription.missed = False
        return found


def technical_event(quote: Quote, subscription: Subscription) -> ProtoOASpotEvent:
    """The event that follows a subscription, whether the market is open or shut."""
    event = ProtoOASpotEvent(
        ctidTraderAccountId=subscription.account_id,
        symbolId=quote.symbol_id,
        bid=quote.bid,
        ask=quote.ask,
    )
    if quote.session_close:
        event.sessionClose = quote.session_close
    if subscription.timestamps and quote.time_ms:
        event.timestamp = quote.time_ms
    return event
