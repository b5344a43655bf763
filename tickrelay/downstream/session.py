"""One client's requests against the hub. Knows no socket: frames go to the outbox.

What basic clients may ask is answered here; what v1 adds, in `tickrelay.downstream.v1`, which a session has once its
client speaks v1.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import UNSET

from tickrelay.downstream.results import refused
from tickrelay.downstream.tokens import AUTH_TIMEOUT_S, MISSING, Shown, digest_of, in_connect
from tickrelay.downstream.v1 import V1Requests
from tickrelay.model.errors import CloseCode, ErrorCode
from tickrelay.model.ticks import Symbol
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import (
    AnyMessage,
    Error,
    Pong,
    Result,
    SubscribeResponse,
    Subscriptions,
    UnsubscribeResponse,
    refusal,
)
from tickrelay.wire.requests import (
    BadRequest,
    Connect,
    GetSubscriptions,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
)

if TYPE_CHECKING:
    from tickrelay.downstream.factory import ClientFactory


class ClientSession:
    """Made by the connection when it is open; `closed` gives everything back."""

    def __init__(self, factory: "ClientFactory", subscriber: Subscriber, enter: Callable[[], bool]) -> None:
        """*enter* takes a place for the client; False means that there is none, and that it is being closed."""
        self.subscriber = subscriber
        self.is_open = False
        """The client was let in and has not gone: it may ask, and is told."""
        self.digest = b""
        """Of the token by which the client came in; empty: it needed none."""
        self.heard = 0
        """The number of the newest status this client was sent."""
        self._over = False
        self._enter = enter
        self._factory = factory
        self._hub = factory.hub
        self._v1 = V1Requests(factory, self) if subscriber.encoding.version else None

    # Coming and going.

    def opened(self, shown: Shown | None) -> None:
        """The connection has opened; *shown* is the token of its opening request (None: there was none)."""
        if self._factory.tokens is None:
            self.is_open = self._enter()
        elif shown is not None:
            self._authorise(shown)
        else:
            self._factory.clock.call_later(AUTH_TIMEOUT_S, self._expect_token)

    def closed(self) -> None:
        """The connection is closing or gone: subscriptions go back, exactly once."""
        self.is_open = False
        self._over = True
        if self._v1 is not None:
            self._v1.closed()
        self._hub.detach(self.subscriber)

    def _expect_token(self) -> None:
        if not (self.is_open or self._over):
            self.subscriber.outbox.close(CloseCode.BAD_TOKEN, "token expected")

    def _authorise(self, shown: Shown, request: Request | None = None) -> bool:
        tokens = self._factory.tokens
        digest = digest_of(shown.token)
        fault = shown.fault
        if tokens is None or (not fault and tokens.holds(digest)):
            self.digest = digest
            self.is_open = self._enter()
            return self.is_open
        fault = fault or "token refused"
        if self.subscriber.encoding.version:
            mark = UNSET if request is None else request.id
            self.say(Error(id=mark, code=ErrorCode.UNAUTHORIZED, message=fault[0].upper() + fault[1:], fatal=True))
        self.subscriber.outbox.close(CloseCode.BAD_TOKEN, fault)
        return False

    # Requests.

    def received(self, payload: bytes, binary: bool) -> int:
        """Answer one message; whatever is wrong with it harms nobody.

        Returns how many messages it counts for besides itself in the pace that a client may have.
        """
        try:
            request = self.subscriber.encoding.parse(payload, binary)
        except BadRequest as bad:
            encoding = self._factory.encodings.v1_json if bad.names_version else self.subscriber.encoding
            self.subscriber.outbox.write(encoding.message(refusal(bad)))
            return 0
        if isinstance(request, Connect) and request.protocol is not UNSET and self._v1 is None:
            self._hub.set_encoding(self.subscriber, self._factory.encodings.v1_json)
            self._v1 = V1Requests(self._factory, self)
        if not self.is_open:
            token = request.token if isinstance(request, Connect) else UNSET
            if not self._authorise(MISSING if token is UNSET else in_connect(token), request):
                return 0
        match request:
            case Ping():
                self.say(Pong(id=request.id, timestamp=self._factory.clock.wall_ms()))
            case GetSubscriptions():
                names = [channel.symbol.name for channel in self.subscriber.channels]
                self.say(Subscriptions(id=request.id, symbols=names, timestamp=self._factory.clock.wall_ms()))
            case _ if self._v1 is not None:
                return self._v1.answer(request)
            case Connect():
                self._connect()
            case Subscribe():
                self._subscribe(request.symbols)
            case Unsubscribe():
                self._unsubscribe(request.symbols)
        return 0

    def say(self, message: AnyMessage) -> None:
        """Send the client a message of its own."""
        self.subscriber.send(message)

    def _connect(self) -> None:
        self.heard = self._factory.status_number
        self.subscriber.outbox.write(self._factory.status_frame(self.subscriber.encoding))

    def _subscribe(self, names: Iterable[str]) -> None:
        results: list[Result] = []
        symbols: list[Symbol] = []
        room = self._factory.settings.max_symbols - len(self.subscriber.channels)
        subscribed = {channel.symbol.name for channel in self.subscriber.channels}
        for name in names:
            found = self._find(name)
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
        self._hub.subscribe(self.subscriber, symbols)
        self.say(SubscribeResponse(results=results))

    def _find(self, name: str) -> Symbol | Result:
        """The symbol that the client means, or the result that says why there is none."""
        symbol = self._hub.symbols.get(name)
        if symbol is None:
            return refused(name, ErrorCode.UNKNOWN_SYMBOL if self._hub.symbols else ErrorCode.NOT_READY)
        return symbol if symbol.enabled else refused(name, ErrorCode.SYMBOL_DISABLED)

    def _unsubscribe(self, names: Iterable[str]) -> None:
        self._hub.unsubscribe(self.subscriber, names)
        self.say(UnsubscribeResponse(results=[Result(symbol=name, status="unsubscribed") for name in names]))
