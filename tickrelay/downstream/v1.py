"""The requests that v1 adds to basic's, or answers otherwise."""

from functools import partial

from msgspec import UNSET

from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.diagnostics import explanation
from tickrelay.downstream.notifications import FEATURES, HEARTBEAT_S
from tickrelay.downstream.results import Answer, Steps, number
from tickrelay.downstream.subscribe_request import MAX_RATE, MOST_REPLAYED, SubscribeRequest, effective_rate
from tickrelay.downstream.unsubscribe_request import unsubscribe
from tickrelay.model.errors import CloseCode, ErrorCode
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import ConfigureResponse, Error, Symbols
from tickrelay.wire.parts import Limits
from tickrelay.wire.requests import Configure, Connect, Explain, GetSymbols, Subscribe, Unsubscribe


class V1Requests:
    """Made by a session whose client speaks v1; keeps what that client set."""

    __slots__ = ("_context", "_rate", "_replays_left", "_subscriber")

    def __init__(self, context: ClientContext, subscriber: Subscriber) -> None:
        self._context = context
        self._subscriber = subscriber
        self._rate = 0.0  # ticks/s of symbols that are subscribed without a rate of their own; 0: every tick
        self._replays_left = MOST_REPLAYED

    def connect(self, request: Connect) -> Answer:
        """Accept the features, and answer with the status; another version than 1 closes the connection."""
        context, subscriber = self._context, self._subscriber
        if request.protocol not in (UNSET, 1):
            error = Error(id=request.id, code=ErrorCode.BAD_REQUEST, message="protocol: expected 1", fatal=True)
            close = partial(subscriber.outbox.close, CloseCode.BAD_PROTOCOL, "unknown protocol")
            return Answer(error, then=close)
        features = [name for name in FEATURES if name in request.features]
        subscriber.features = frozenset(features)
        context.notifications.add(subscriber)
        settings = context.settings
        status = context.statuses.message()
        status.id = request.id
        status.protocol = 1
        if features:
            status.features = features
        unknown = [name for name in dict.fromkeys(request.features) if name not in FEATURES]
        if unknown:
            status.unknown_features = unknown
        status.limits = Limits(
            max_symbols=settings.max_symbols,
            max_rate=number(MAX_RATE),
            messages_per_second=number(settings.messages_per_s),
            max_message_bytes=settings.max_message_bytes,
        )
        if "heartbeat" in features:
            status.heartbeat_ms = HEARTBEAT_S * 1000
        return Answer(status)

    def subscribe(self, request: Subscribe) -> Steps[Answer]:
        """Subscribe symbols."""
        asked = SubscribeRequest(self._context, self._subscriber, self._rate, self._replays_left)
        answer = yield from asked.subscribe(request)
        self._replays_left = asked.replays_left
        return answer

    def unsubscribe(self, request: Unsubscribe) -> Steps[Answer]:
        """End subscriptions."""
        return unsubscribe(self._context, self._subscriber, request)

    def configure(self, request: Configure) -> Answer:
        """Change rate and pause. The answer first: the ticks after it follow the new rules."""
        subscriber = self._subscriber
        answer = ConfigureResponse(id=request.id, max_rate=number(self._rate), paused=subscriber.paused)
        if request.max_rate is not UNSET:
            self._rate = effective_rate(request.max_rate)
            answer.max_rate = number(self._rate)
        if request.paused is not UNSET:
            answer.paused = request.paused
        return Answer(answer, then=partial(self._apply, request))

    def _apply(self, request: Configure) -> None:
        if request.max_rate is not UNSET:
            self._context.hub.set_rate(self._subscriber, self._rate)
        if request.paused is not UNSET:
            self._context.hub.set_paused(self._subscriber, request.paused)

    def get_symbols(self, request: GetSymbols) -> Steps[Answer]:
        """Describe every symbol."""
        context = self._context
        items = yield from context.symbol_list.items(self._subscriber.encoding, context.names)
        return Answer(Symbols(id=request.id, symbols=[], timestamp=context.clock.wall_ms()), items)

    def explain(self, request: Explain) -> Steps[Answer]:
        """Say why a symbol is quiet."""
        context = self._context
        yield from context.names.indexed()
        return Answer(explanation(context.hub, context.names, self._subscriber, request, context.clock.wall_ms()))
