"""The ReconnectingClientFactory: makes each connection's protocol, and connects again when the session says so.

It holds the only connector there is, so there is never a second connection. (It does nothing behind an endpoint,
hence `reactor.connectSSL`.) How long to wait is the session's to say: the delay is set before each retry.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IAddress, IConnector, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.python.failure import Failure

from tickrelay.upstream.protocol import OpenApiProtocol


class FactoryOwner(Protocol):
    """Who is told how connecting goes: the session."""

    def connecting_begun(self) -> None:
        """The connector begins: name look-up, TCP, TLS."""

    def link_made(self, link: OpenApiProtocol) -> None:
        """TCP is up; TLS is not."""

    def connection_failed(self, reason: Failure) -> None:
        """There was no connection."""

    def connection_gone(self) -> None:
        """The connection is gone, and the connector is free for the next."""


class SessionFactory(ReconnectingClientFactory):
    """Made once a service; *connect* starts the first connection and returns its connector."""

    noisy = False
    # The session's backoff has its jitter already.
    jitter = 0

    def __init__(
        self,
        clock: IReactorTime,
        owner: FactoryOwner,
        build: Callable[[], OpenApiProtocol],
        connect: Callable[["SessionFactory"], IConnector],
    ) -> None:
        self.clock = clock  # type: ignore[assignment]
        self._owner = owner
        self._build = build
        self._connect = connect

    def start(self) -> None:
        """Connect for the first time, or again after `stopTrying`."""
        self.continueTrying = 1
        if self.connector is None:
            self._connect(self)
        else:
            self.connector.connect()

    def retry_in(self, delay_s: float) -> None:
        """Connect again after *delay_s*."""
        self.delay = delay_s
        self.retry(self.connector)

    def give_up(self) -> None:
        """End a connection, or an attempt at one, that the link itself cannot end: `connection_failed` follows."""
        if self.connector is not None:
            self.connector.disconnect()

    def startedConnecting(self, connector: IConnector) -> None:
        """The connector begins."""
        self.connector = connector
        self._owner.connecting_begun()

    def buildProtocol(self, addr: IAddress | None) -> OpenApiProtocol:
        """TCP is up: make the link."""
        link = self._build()
        link.factory = self
        self._owner.link_made(link)
        return link

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """No connection: the session decides when to try again."""
        self._owner.connection_failed(reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """The connection is gone: the session decides when to try again."""
        self._owner.connection_gone()
