"""``unsubscribe`` of v1: other spellings, and patterns."""

from tickrelay.downstream import results
from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.directory import MAX_PATTERNS, Pattern, is_pattern
from tickrelay.downstream.results import STEP_NAMES, Answer, Steps
from tickrelay.model.errors import ErrorCode
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import UnsubscribeResponse
from tickrelay.wire.parts import Result
from tickrelay.wire.requests import Unsubscribe


def unsubscribe(context: ClientContext, subscriber: Subscriber, request: Unsubscribe) -> Steps[Answer]:
    """End subscriptions, by any spelling; a symbol that is not subscribed has the same result as one that was."""
    answers: list[Result] = []
    gone: dict[str, None] = {}
    subscribed = {channel.symbol.name: None for channel in subscriber.channels}
    names = context.names
    yield from names.indexed()

    def subscribed_as(spelled: str) -> str | None:
        if spelled in subscribed:
            return spelled
        return next((symbol.name for symbol in names.find(spelled) if symbol.name in subscribed), None)

    patterns = 0
    for number, spelled in enumerate(request.symbols):
        if number % STEP_NAMES == 0:
            yield
        if is_pattern(spelled) and spelled not in subscribed:
            patterns += 1
            if patterns > MAX_PATTERNS:
                answers.append(results.refused(spelled, ErrorCode.BAD_REQUEST, "Too many patterns"))
                continue
            yield
            matched = list(filter(Pattern(spelled).matches, subscribed))
            answers.extend(Result(symbol=name, status="unsubscribed") for name in matched if name not in gone)
            if not matched:
                answers.append(Result(symbol=spelled, status="unsubscribed"))
            gone.update(dict.fromkeys(matched))
            continue
        name = subscribed_as(spelled)
        result = Result(symbol=spelled, status="unsubscribed")
        if name is not None:
            gone[name] = None
            if name != spelled:
                result.name = name
        answers.append(result)
    context.hub.unsubscribe(subscriber, gone)
    return Answer(UnsubscribeResponse(id=request.id, results=answers))
