"""What a v1 client can ask beyond a basic one."""

from typing import TYPE_CHECKING

from msgspec import UNSET

from tickrelay.downstream import diagnostics
from tickrelay.downstream.directory import is_pattern
from tickrelay.downstream.notifications import FEATURES, HEARTBEAT_S
from tickrelay.downstream.results import number
from tickrelay.downstream.subscribe_request import MAX_RATE, MOST_REPLAYED, SubscribeRequest, effective_rate
from tickrelay.model.errors import CloseCode, ErrorCode
from tickrelay.wire.messages import ConfigureResponse, Error, Limits, Symbols
from tickrelay.wire.requests import (
    Configure,
    Connect,
    Explain,
    GetSymbols,
    Request,
    Subscribe,
    Unsubscribe,
)

if TYPE_CHECKING:
    from tickrelay.downstream.factory import ClientFactory
    from tickrelay.downstream.session import ClientSession

GET_SYMBOLS_COST = 10
"""Messages: thousands of symbols take some milliseconds to say."""


class V1Requests:
    """Owned by a session whose client speaks v1; keeps what that client set."""

    __slots__ = ("_factory", "_session", "rate", "replays_left")

    def __init__(self, factory: "ClientFactory", session: "ClientSession") -> None:
        self.rate = 0.0
        """Ticks per second of symbols that are subscribed without a rate of their own; 0: every tick."""
        self.replays_left = MOST_REPLAYED
        """Ticks that may still be replayed on this connection."""
        self._factory = factory
        self._session = session

    def closed(self) -> None:
        """The client is gone."""
        self._factory.pushes.leave(self._session)

    def answer(self, request: Request) -> int:
        """Answer a request; returns how many messages it counts for besides itself, by the work that it makes."""
        session, factory = self._session, self._factory
        cost = 0
        match request:
            case Connect():
                self._connect(request)
            case Subscribe():
                SubscribeRequest(factory, session.subscriber, self).subscribe(request)
                cost = sum(map(is_pattern, request.symbols))
            case Unsubscribe():
                SubscribeRequest(factory, session.subscriber, self).unsubscribe(request)
                cost = sum(map(is_pattern, request.symbols))
            case Configure():
                self._configure(request)
            case GetSymbols():
                session.say(Symbols(id=request.id, symbols=factory.symbol_infos(), timestamp=factory.clock.wall_ms()))
                cost = GET_SYMBOLS_COST
            case Explain():
                session.say(diagnostics.explanation(factory, session.subscriber, request))
        return cost

    def _connect(self, request: Connect) -> None:
        session, factory = self._session, self._factory
        if request.protocol not in (UNSET, 1):
            session.say(Error(id=request.id, code=ErrorCode.BAD_REQUEST, message="protocol: expected 1", fatal=True))
            session.subscriber.outbox.close(CloseCode.BAD_PROTOCOL, "unknown protocol")
            return
        features = [name for name in FEATURES if name in request.features]
        session.subscriber.features = frozenset(features)
        factory.pushes.enter(session)
        settings = factory.settings
        session.heard = factory.status_number
        status = factory.status_message()
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
        session.say(status)

    def _configure(self, request: Configure) -> None:
        subscriber, hub = self._session.subscriber, self._factory.hub
        answer = ConfigureResponse(id=request.id, max_rate=number(self.rate), paused=subscriber.paused)
        if request.max_rate is not UNSET:
            self.rate = effective_rate(request.max_rate)
            answer.max_rate = number(self.rate)
        if request.paused is not UNSET:
            answer.paused = request.paused
        # The answer first: what comes after it comes by the new rules.
        self._session.say(answer)
        if request.max_rate is not UNSET:
            hub.set_rate(subscriber, self.rate)
        if request.paused is not UNSET:
            hub.set_paused(subscriber, request.paused)
