"""What is known of a symbol, and why a client gets no ticks of it; how the feed does. Pure functions of the hub."""

from msgspec import UNSET

from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.results import number
from tickrelay.model.status import FeedState
from tickrelay.model.ticks import Symbol
from tickrelay.relay.hub import Hub
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import Explanation
from tickrelay.wire.parts import Feed, MarketStateName, Queue, SymbolInfo
from tickrelay.wire.requests import Explain

QUIET_AFTER_MS = 60_000
"""Age of the newest tick from which ``explain`` calls an open market silent."""


def market_state(symbol: Symbol, now_ms: int) -> MarketStateName:
    """Whether the symbol trades at *now_ms* (Unix milliseconds)."""
    if symbol.schedule.disabled or not symbol.enabled:
        return "disabled"
    return "open" if symbol.schedule.is_open(now_ms / 1000) else "closed"


def symbol_info(symbol: Symbol, now_ms: int) -> SymbolInfo:
    """One item of the answer to ``getSymbols``; *now_ms*: Unix milliseconds."""
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


def feed_summary(hub: Hub) -> Feed:
    """The state of the feed, and the age of its newest tick while ticks are due."""
    feed = Feed(state=hub.status.state)
    age_s = hub.spot_age_s
    if age_s is not None and hub.fanout.last_flush_s:
        feed.last_spot_age_ms = int(age_s * 1000)
    return feed


def explanation(hub: Hub, names: SymbolDirectory, subscriber: Subscriber, request: Explain, now_ms: int) -> Explanation:
    """The answer to ``explain``: each stage between cTrader and this client; *now_ms*: Unix milliseconds."""
    found = names.find(request.symbol)
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
        feed=feed_summary(hub),
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
        buffered_bytes=subscriber.outbox.queued_bytes + subscriber.outbox.large_bytes,
    )


def _reason(answer: Explanation, listed: bool) -> str:
    """The first obstacle on the way from cTrader to the client."""
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
