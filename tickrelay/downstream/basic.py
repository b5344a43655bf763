"""``subscribe`` and ``unsubscribe`` of basic clients: exact names, no rates, no resuming."""

from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.results import Answer, refused
from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol
from tickrelay.relay.hub import Hub
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import SubscribeResponse, UnsubscribeResponse
from tickrelay.wire.parts import Result
from tickrelay.wire.requests import Subscribe, Unsubscribe


def subscribe(context: ClientContext, subscriber: Subscriber, request: Subscribe) -> Answer:
    """Subscribe what can be, up to the limit of a client; a name that is subscribed already does not count."""
    results: list[Result] = []
    symbols: list[Symbol] = []
    room = context.settings.max_symbols - len(subscriber.channels)
    subscribed = {channel.symbol.name for channel in subscriber.channels}
    for name in request.symbols:
        found = _find(context.hub, name)
        if isinstance(found, Result):
            results.append(found)
            continue
        if found.name not in subscribed:
            if room <= 0:
                results.append(refused(name, ErrorCode.SUBSCRIPTION_LIMIT))
                continue
            room -= 1
            subscribed.add(found.name)
        symbols.append(found)
        results.append(Result(symbol=name, status="subscribed"))
    context.hub.subscribe(subscriber, symbols)
    return Answer(SubscribeResponse(results=results))


def _find(hub: Hub, name: str) -> Symbol | Result:
    """The symbol called *name*, or the result that says why it cannot be subscribed."""
    symbol = hub.symbols.get(name)
    if symbol is None:
        return refused(name, ErrorCode.UNKNOWN_SYMBOL if hub.symbols else ErrorCode.NOT_READY)
    return symbol if symbol.enabled else refused(name, ErrorCode.SYMBOL_DISABLED)


def unsubscribe(context: ClientContext, subscriber: Subscriber, request: Unsubscribe) -> Answer:
    """End subscriptions; a name that is not subscribed has the same result as one that was."""
    context.hub.unsubscribe(subscriber, request.symbols)
    results = [Result(symbol=name, status="unsubscribed") for name in request.symbols]
    return Answer(UnsubscribeResponse(results=results))
