"""The factory of the clients' port."""

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.support.browser import Server
from tickrelay.front.factory import FrontFactory


class Inner(Factory):  # type: ignore[misc]
    """Counts its starts."""

    noisy = False
    running = 0

    def startFactory(self) -> None:
        """Note it."""
        self.running += 1

    def stopFactory(self) -> None:
        """Note it."""
        self.running -= 1


def test_the_factories_behind_it_start_and_stop_with_it(clock: Clock) -> None:
    """Autobahn's has timers, twisted.web's may have a log."""
    inner = [Inner(), Inner()]
    factory = FrontFactory(Server(clock).front._shared, *inner)
    factory.doStart()
    assert [each.running for each in inner] == [1, 1]
    factory.doStop()
    assert [each.running for each in inner] == [0, 0]


def test_it_speaks_http_1_1_over_tls(clock: Clock) -> None:
    """By ALPN; HTTP/2 has other ways to open a WebSocket, which the relay does not know."""
    factory = Server(clock).front
    assert verifyObject(IProtocolNegotiationFactory, factory)
    assert factory.acceptableProtocols() == [b"http/1.1"]
