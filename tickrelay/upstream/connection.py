"""The one connection: made, watched until TLS is complete, ended, and made again when the session asks for it.

There is one factory with one connector, hence never a second connection. `Connection` stands between them and the link
on one side and the session on the other.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IAddress, IConnector, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.clock import Clock
from tickrelay.upstream.causes import cause_of_loss
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Cause, Kind
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol


class FactoryOwner(Protocol):
    """What the factory reports to: the Connection."""

    def connecting_begun(self) -> None:
        """The connector begins: name look-up, TCP, TLS."""

    def link_made(self, link: OpenApiProtocol) -> None:
        """TCP is up; TLS is not."""

    def connection_failed(self, reason: Failure) -> None:
        """There was no connection."""

    def connection_gone(self) -> None:
        """The connection is gone, and the connector is free for the next."""


class SessionFactory(ReconnectingClientFactory):
    """Made once a service; *connect* starts the first connection and returns its connector.

    A ReconnectingClientFactory does not reconnect behind an endpoint (its callbacks take the connector that an endpoint
    hides), hence `reactor.connectSSL`.
    """

    noisy = False
    # `retry` adds jitter to `delay`, and the session's backoff has its own.
    jitter = 0

    def __init__(
        self,
        reactor: IReactorTime,
        owner: FactoryOwner,
        build: Callable[[], OpenApiProtocol],
        connect: Callable[["SessionFactory"], IConnector],
    ) -> None:
        self.clock = reactor  # type: ignore[assignment]  # declared as None
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
        """Connect again after *delay_s*, unless `stopTrying` was called."""
        self.delay = delay_s  # each time: `retry` multiplies it by `factor` after it has used it
        self.retry(self.connector)

    def give_up(self) -> None:
        """End an attempt to connect that has no link yet: `connection_failed` follows."""
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


@dataclass(slots=True, kw_only=True)
class SessionDependencies:
    """What a session needs of its surroundings."""

    clock: Clock
    reactor: IReactorTime
    """For Twisted's ReconnectingClientFactory alone, which schedules its retries on a reactor."""
    connect: Callable[[SessionFactory], IConnector]
    """Starts the first connection for the factory and returns its connector."""
    record: Callable[[bytes], None] | None = None
    """Gets every incoming frame before it is read."""
    rng: random.Random = field(default_factory=random.Random)


class ConnectionOwner(Protocol):
    """What the connection reports to: the session."""

    def connecting_begun(self) -> None:
        """Name look-up, TCP and TLS begin."""

    def expects_link(self) -> bool:
        """Whether a connection is still wanted. It may have been given up while TCP connected."""

    def link_secured(self, link: OpenApiProtocol) -> None:
        """TLS is complete, certificate and host name verified: secrets may be written."""

    def drop(self, cause: Cause) -> None:
        """The connection is of no use any longer; it is aborted already."""

    def connection_gone(self, cause: Cause) -> None:
        """There is no connection, and another may be begun."""


class Connection:
    """Made once a service. *spot* is called on the way of a tick; *redact* takes secrets out of the server's texts."""

    def __init__(
        self,
        settings: CTraderSettings,
        dependencies: SessionDependencies,
        counters: Counters,
        spot: Callable[[int, int, int, int], None],
        redact: Callable[[str], str],
        owner: ConnectionOwner,
    ) -> None:
        self._settings = settings
        self._dependencies = dependencies
        self._counters = counters
        self._spot = spot
        self._owner = owner
        self._link_settings = LinkSettings(
            account_id=settings.account_id,
            request_timeout_s=settings.request_timeout_s,
            requests_per_s=settings.requests_per_s,
            historical_per_s=settings.historical_per_s,
            redact=redact,
        )
        self._factory = SessionFactory(dependencies.reactor, self, self._build, dependencies.connect)
        self._loss = Cause(Kind.NETWORK, "connection lost")
        self.link: OpenApiProtocol | None = None
        """The connection from the moment TCP is up; None: there is none."""

    # From the session.

    def begin(self) -> None:
        """Connect now."""
        self._factory.start()

    def retry_in(self, delay_s: float) -> None:
        """Connect again after *delay_s*."""
        self._factory.retry_in(delay_s)

    def stop_trying(self) -> None:
        """No retry any longer, until `begin`."""
        self._factory.stopTrying()

    def abort(self) -> None:
        """Abort the connection, or the attempt at one; `connection_gone` follows."""
        if self.link is not None:
            self.link.abort()
        else:
            self._factory.give_up()

    def close(self) -> None:
        """Flush, then close with TLS close_notify; `connection_gone` follows, not before the peer has closed too."""
        if self.link is not None:
            self.link.close()
        else:
            self._factory.give_up()

    # From the factory and the link.

    def _build(self) -> OpenApiProtocol:
        dependencies = self._dependencies
        return OpenApiProtocol(
            dependencies.clock,
            self,
            self._spot,
            self._counters,
            self._link_settings,
            dependencies.record,
        )

    def connecting_begun(self) -> None:
        """The connector begins."""
        self._counters.connects += 1
        self._owner.connecting_begun()

    def link_made(self, link: OpenApiProtocol) -> None:
        """TCP is up."""
        self.link = link
        if not self._owner.expects_link():
            self._dependencies.clock.call_later(0, link.abort)

    def link_secured(self, link: OpenApiProtocol) -> None:
        """TLS is up."""
        if link is self.link and self._owner.expects_link():
            self._owner.link_secured(link)

    def link_garbled(self, link: OpenApiProtocol, reason: str) -> None:
        """Bytes came that are no frames of the protocol; the link has aborted itself."""
        if link is self.link:
            self._owner.drop(Cause(Kind.NETWORK, f"garbage from cTrader: {reason}"))

    def link_lost(self, link: OpenApiProtocol, reason: Failure) -> None:
        """The connection is gone. *reason* has the TLS error, which `clientConnectionLost` may not get."""
        if link is self.link:
            self.link = None
            self._counters.losses += 1
            self._loss = cause_of_loss(reason, self._settings)

    def connection_failed(self, reason: Failure) -> None:
        """There was no connection."""
        self._counters.connect_failures += 1
        self._owner.connection_gone(cause_of_loss(reason, self._settings))

    def connection_gone(self) -> None:
        """The connector is free."""
        self._owner.connection_gone(self._loss)
