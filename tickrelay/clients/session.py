"""One client's requests against the hub. Knows no socket: frames go to the outbox."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tickrelay.errors import ErrorCode
from tickrelay.relay.outbox import Outbox
from tickrelay.ticks import Symbol
from tickrelay.wire.messages import (
    AnyMessage,
    Pong,
    Result,
    SubscribeResponse,
    Subscriptions,
    UnsubscribeResponse,
    refusal,
)
from tickrelay.wire.requests import BadRequest, Connect, GetSubscriptions, Ping, Subscribe, Unsubscribe

if TYPE_CHECKING:
    from tickrelay.clients.factory import ClientFactory


class ClientSession:
    """Made by the connection when it is open; `closed` gives everything back."""

    def __init__(self, factory: "ClientFactory", outbox: Outbox) -> None:
        self.outbox = outbox
        self.is_open = True
        self.heard = 0
        """The number of the newest status this client was sent."""
        self._factory = factory
        self._hub = factory.hub

    def opened(self) -> None:
        """The client was admitted."""

    def closed(self) -> None:
        """The connection is closing or gone: subscriptions go back, exactly once."""
        self.is_open = False
        self._hub.detach(self.outbox)

    def received(self, payload: bytes, binary: bool) -> None:
        """Answer one message; whatever is wrong with it harms nobody."""
        try:
            request = self.outbox.encoding.parse(payload, binary)
        except BadRequest as bad:
            self._say(refusal(bad))
            return
        match request:
            case Connect():
                self._connect(request)
            case Subscribe():
                self._subscribe(request)
            case Unsubscribe():
                self._unsubscribe(request)
            case Ping():
                self._say(Pong(id=request.id, timestamp=self._factory.time.now_ms()))
            case GetSubscriptions():
                names = [channel.symbol.name for channel in self.outbox.channels]
                self._say(Subscriptions(id=request.id, symbols=names, timestamp=self._factory.time.now_ms()))

    def _say(self, message: AnyMessage) -> None:
        self.outbox.write(self.outbox.encoding.message(message))

    def _connect(self, request: Connect) -> None:
        self.heard = self._factory.status_number
        self.outbox.write(self._factory.status_frame(self.outbox.encoding))

    def _subscribe(self, request: Subscribe) -> None:
        results: list[Result] = []
        symbols: list[Symbol] = []
        room = self._factory.settings.max_symbols - len(self.outbox.channels)
        subscribed = {channel.symbol.name for channel in self.outbox.channels}
        for name in request.symbols:
            found = self._find(name)
            if isinstance(found, Result):
                results.append(found)
                continue
            if found.name not in subscribed:
                if room <= 0:
                    results.append(self._refuse(name, ErrorCode.SUBSCRIPTION_LIMIT, "Too many symbols"))
                    continue
                room -= 1
                subscribed.add(found.name)
            symbols.append(found)
            results.append(Result(symbol=name, status="subscribed"))
        self._hub.subscribe(self.outbox, symbols)
        self._say(SubscribeResponse(id=request.id, results=results))

    def _find(self, name: str) -> Symbol | Result:
        """The symbol that the client means, or the result that says why there is none."""
        symbol = self._hub.symbols.get(name)
        if symbol is None:
            if not self._hub.symbols:
                return self._refuse(name, ErrorCode.NOT_READY, "Not connected to cTrader")
            return self._refuse(name, ErrorCode.UNKNOWN_SYMBOL, "Unknown symbol")
        if not symbol.enabled:
            return self._refuse(name, ErrorCode.SYMBOL_DISABLED, "Not enabled on this account")
        return symbol

    def _refuse(self, name: str, code: ErrorCode, message: str) -> Result:
        return Result(symbol=name, status="error", code=code, message=message)

    def _unsubscribe(self, request: Unsubscribe) -> None:
        names: Iterable[str] = request.symbols
        self._hub.unsubscribe(self.outbox, names)
        results = [Result(symbol=name, status="unsubscribed") for name in names]
        self._say(UnsubscribeResponse(id=request.id, results=results))
