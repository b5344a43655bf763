"""The contender ``autobahn``: a loop over clients on Twisted; ``sendMessage``, or ``sendPreparedMessage`` if told."""

import sys
from collections import defaultdict

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Protocol

from benchmarks.contenders.common import Ticks, answer

subscribers: "defaultdict[str, set[Client]]" = defaultdict(set)


class Client(WebSocketServerProtocol):
    """One client."""

    def onOpen(self) -> None:
        """Ready for requests."""
        self.symbols: set[str] = set()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A request."""
        reply, symbols = answer(payload)
        for symbol in symbols:
            subscribers[symbol].add(self)
        self.symbols.update(symbols)
        self.sendMessage(reply.encode())

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The end of it."""
        for symbol in getattr(self, "symbols", ()):
            subscribers[symbol].discard(self)


class Feed(Protocol):
    """Hands every tick of the feed to those who asked for it."""

    def connectionMade(self) -> None:
        """Start reading."""
        self._ticks = Ticks()

    def dataReceived(self, data: bytes) -> None:
        """Some ticks."""
        for symbol, message in self._ticks.feed(data):
            send(subscribers[symbol], message.encode())


def send_each(clients: set[Client], payload: bytes) -> None:
    """A frame is made for each client."""
    for client in clients:
        client.sendMessage(payload)


def send_prepared(clients: set[Client], payload: bytes) -> None:
    """A frame is made once."""
    message = factory.prepareMessage(payload)
    for client in clients:
        client.sendPreparedMessage(message)


send = send_prepared if sys.argv[3] == "prepared" else send_each
factory = WebSocketServerFactory()
factory.protocol = Client
reactor.listenTCP(int(sys.argv[1]), factory, interface="127.0.0.1", backlog=1024)
reactor.connectTCP("127.0.0.1", int(sys.argv[2]), ClientFactory.forProtocol(Feed))
reactor.run()
