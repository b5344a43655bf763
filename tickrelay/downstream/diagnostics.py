"""What is known of symbols, and why one is quiet."""

from typing import TYPE_CHECKING

from msgspec import UNSET

from tickrelay.downstream.results import number
from tickrelay.model.status import FeedState
from tickrelay.model.ticks import Symbol
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import Explanation, MarketStateName, Queue, SymbolInfo
from tickrelay.wire.requests import Explain

if TYPE_CHECKING:
    from tickrelay.downstream.factory import ClientFactory

QUIET_AFTER_MS = 60_000
"""Silence that an open market does not explain."""


def market_state(symbol: Symbol, now_ms: int) -> MarketStateName:
    """Does the symbol trade now?"""
    if symbol.schedule.disabled or not symbol.enabled:
        return "disabled"
    return "open" if symbol.schedule.is_open(now_ms / 1000) else "closed"


def symbol_info(symbol: Symbol, now_ms: int) -> SymbolInfo:
    """One line of the answer to ``getSymbols``."""
    return SymbolInfo(
        symbol=symbol.name,
        symbol_id=symbol.symbol_id,
        digits=symbol.digits,
        pip_position=symbol.pip_position,
        description=symbol.description,
        category=symbol.category,
        asset_class=symbol.asset_class,
        base=symbol.base,
        quote=symbol.quote,
        enabled=symbol.enabled,
        market_state=market_state(symbol, now_ms),
    )


def explanation(factory: "ClientFactory", subscriber: Subscriber, request: Explain) -> Explanation:
    """All that the relay knows of a symbol's way to this client."""
    hub, now_ms = factory.hub, factory.clock.wall_ms()
    found = factory.names.find(request.symbol)
    symbol = found[0] if len(found) == 1 else None
    name = symbol.name if symbol is not None else request.symbol
    channel = hub.channels.get(name)
    feed = hub.feed_of(name)
    answer = Explanation(
        id=request.id,
        symbol=request.symbol,
        name=UNSET if name == request.symbol else name,
        subscribed=channel in subscriber.channels if channel is not None else False,
        interest=len(hub.subscribers(channel)) if channel is not None else 0,
        wanted=feed.wanted,
        confirmed_at_ms=feed.confirmed_at_ms or UNSET,
        refused=feed.refused or UNSET,
        seq=channel.seq if channel is not None else 0,
        feed=factory.feed(),
        queue=_queue(subscriber),
        reason="",
        timestamp=now_ms,
    )
    if channel is not None and channel.last is not None:
        answer.last_spot_age_ms = max(0, now_ms - channel.last.timestamp_ms)
    if symbol is not None:
        answer.market_state = market_state(symbol, now_ms)
    if channel is not None and subscriber.channels.get(channel):
        answer.queue.max_rate = number(subscriber.channels[channel])
    answer.reason = _reason(answer, bool(hub.symbols))
    return answer


def _queue(subscriber: Subscriber) -> Queue:
    return Queue(
        lane="held" if subscriber.positions or subscriber.is_waiting else "fast",
        paused=subscriber.paused,
        behind=subscriber.outbox.blocked,
        waiting_symbols=sum(channel.sent_seq > seq for channel, seq in subscriber.positions.items()),
        buffered_bytes=subscriber.outbox.queued_bytes,
    )


def _reason(answer: Explanation, listed: bool) -> str:
    """The first thing on the way from cTrader to the client that stands in it."""
    if not listed:
        return "The symbol list was not loaded yet"
    if answer.market_state is UNSET:
        return "There is no such symbol"
    if answer.market_state == "disabled":
        return "The symbol is not enabled on this account"
    if not answer.subscribed:
        return "This client has not subscribed it"
    if answer.feed.state is not FeedState.LIVE and not answer.confirmed_at_ms:
        return "The connection to cTrader is not live"
    if answer.refused is not UNSET:
        return "cTrader refused the subscription"
    if not answer.confirmed_at_ms:
        return "cTrader has not confirmed the subscription yet"
    if answer.queue.paused:
        return "This client has paused its ticks"
    if answer.queue.behind:
        return "This client reads more slowly than ticks come"
    if answer.market_state == "closed":
        return "The market is closed"
    if answer.last_spot_age_ms is UNSET:
        return "No tick has come since the subscription"
    age = f"{answer.last_spot_age_ms / 1000:.1f} s"
    if answer.last_spot_age_ms > QUIET_AFTER_MS:
        return f"The market is open, but cTrader has sent no tick for {age}"
    return f"Nothing is wrong: the newest tick is {age} old"
