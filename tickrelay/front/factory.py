"""What listens on the clients' port."""

from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from tickrelay.front.connection import FrontConnection
from tickrelay.front.shared import Shared


@implementer(IProtocolNegotiationFactory)
class FrontFactory(Factory):
    """Makes a `FrontConnection` for each connection. *inner*: the factories behind it, started and stopped with it."""

    noisy = False

    def __init__(self, shared: Shared, *inner: Any) -> None:
        self._shared = shared
        self._inner = inner

    def startFactory(self) -> None:
        """Called when the port is bound."""
        for factory in self._inner:
            factory.doStart()

    def stopFactory(self) -> None:
        """Called when the port is closed."""
        for factory in self._inner:
            factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> FrontConnection:
        """A connection was accepted."""
        return FrontConnection(self._shared, self._shared.clock.monotonic_s())

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on by ALPN (RFC 7301): WebSocket opens with HTTP/1.1.

        Asked by TLS listeners of every kind. Twisted (26.10) answers an offer that it has no protocol for with an empty
        name, on which OpenSSL ends the handshake: without this method no browser could connect.
        """
        return [b"http/1.1"]
