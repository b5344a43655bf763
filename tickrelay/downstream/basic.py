"""``subscribe`` and ``unsubscribe`` of basic clients: exact names, no rates, no resuming."""

from functools import partial

from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.results import STEP_NAMES, Answer, Steps, refused
from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol
from tickrelay.relay.hub import Hub
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import SubscribeResponse, UnsubscribeResponse
from tickrelay.wire.parts import Result
from tickrelay.wire.requests import Subscribe, Unsubscribe


def subscribe(context: ClientContext, subscriber: Subscriber, request: Subscribe) -> Steps[Answer]:
    """Subscribe what can be, up to the limit of a client; a name that is subscribed already does not count."""
    hub = context.hub
    results: list[Result] = []
    room = context.settings.max_symbols - len(subscriber.channels)
    subscribed = {channel.symbol.name for channel in subscriber.channels}
    hub.hold(subscriber)
    for number, name in enumerate(request.symbols):
        if number % STEP_NAMES == 0:
            yield
        found = _find(hub, name)
        if isinstance(found, Result):
            results.append(found)
            continue
        if found.name not in subscribed:
            if room <= 0:
                results.append(refused(name, ErrorCode.SUBSCRIPTION_LIMIT))
                continue
            room -= 1
            subscribed.add(found.name)
            hub.subscribe(subscriber, (found,))
        results.append(Result(symbol=name, status="subscribed"))
    return Answer(SubscribeResponse(results=results), then=partial(hub.release, subscriber))


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
