"""UpstreamService: the cTrader side as the composition sees it, a service that provides IFeed."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory
from zope.interface import implementer

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.clock import Clock
from tickrelay.model.errors import SettingError
from tickrelay.model.feed import IFeed, IFeedListener, SymbolFeed
from tickrelay.model.status import FeedState
from tickrelay.upstream.connection import SessionDependencies, SessionFactory
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.session import CTraderSession
from tickrelay.upstream.tls import ClientOptions
from tickrelay.upstream.tokens import TokenFileError, TokenStore


def connect_over_tls(reactor: Any, settings: CTraderSettings) -> Callable[[ClientFactory], IConnector]:
    """How to connect in production: TLS to the settings' host. Raises SettingError for a bad CA file."""
    options = ClientOptions(settings.host, settings.ca_file)

    def connect(factory: ClientFactory) -> IConnector:
        # The session's own deadline, which covers TLS too, comes first; the reactor's is there for the unforeseen.
        connector: IConnector = reactor.connectSSL(
            settings.host, settings.port, factory, options, timeout=settings.connect_timeout_s + 5
        )
        return connector

    return connect


@implementer(IFeed)
class UpstreamService(Service):
    """Holds the one session. *reactor* connects, *clock* is its time; *listener* gets what the feed brings.

    *record* gets every incoming frame (the bytes of its ProtoMessage) before it is read. For tests: *connect* replaces
    the way to connect.
    Raises SettingError for settings that cannot work.
    """

    name = "upstream"

    def __init__(
        self,
        settings: CTraderSettings,
        listener: IFeedListener,
        reactor: Any,
        clock: Clock,
        *,
        record: Callable[[bytes], None] | None = None,
        connect: Callable[[SessionFactory], IConnector] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if settings.refresh_token and not settings.token_file:
            raise SettingError(
                "CTRADER_REFRESH_TOKEN needs CTRADER_TOKEN_FILE: a refresh token is good for one renewal, and the new "
                "tokens must be kept; name a file that the relay may write"
            )
        store = TokenStore(settings.access_token, settings.refresh_token, settings.token_file, clock)
        try:
            store.prepare()
        except TokenFileError as e:
            raise SettingError(f"CTRADER_TOKEN_FILE: {e}") from None
        self.counters = Counters()
        self.session = CTraderSession(
            settings,
            listener,
            SessionDependencies(
                clock=clock,
                reactor=reactor,
                connect=connect or connect_over_tls(reactor, settings),
                record=record,
                rng=rng or random.Random(),
            ),
            self.counters,
        )
        self.jobs = self.session.watchdog.jobs
        """The periodic jobs, for the metrics."""

    @property
    def state(self) -> FeedState:
        """Where the session stands."""
        return self.counters.state

    def startService(self) -> None:
        """Begin connecting."""
        super().startService()
        self.session.start()

    def stopService(self) -> "Deferred[None]":
        """Flush, then close with TLS close_notify; fires when the connection is gone, or aborted after the deadline."""
        super().stopService()
        return self.session.stop()

    def want(self, name: str) -> None:
        """Some client wants the symbol."""
        self.session.subscriptions.want(name)

    def unwant(self, name: str) -> None:
        """No client wants the symbol any longer."""
        self.session.subscriptions.unwant(name)

    def explain(self, name: str) -> SymbolFeed:
        """What the feed knows of the symbol's subscription."""
        known = self.session.subscriptions.explain(name)
        return replace(known, silent=True) if name in self.session.watchdog.silent else known
