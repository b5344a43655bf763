"""The factory of client connections: keeps the set of them, connects them to the hub, and closes all at the end."""

from collections.abc import Iterator, Sequence
from functools import partial

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred

from tickrelay.admission.ledger import Payer
from tickrelay.admission.places import Admission, Slot
from tickrelay.admission.refusals import Refusals
from tickrelay.config.settings import ClientSettings
from tickrelay.downstream.connection import LINGER_S, ClientProtocol
from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.session import ClientSession
from tickrelay.downstream.tokens import Tokens
from tickrelay.model.clock import Clock
from tickrelay.model.errors import CloseCode
from tickrelay.model.periodic import PeriodicJobs
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.relay.channel import Channel
from tickrelay.relay.hub import Hub
from tickrelay.wire.encodings import Encodings

_CLOSES_PER_S = 100.0
"""Rate at which many clients are closed: so few reconnect at once that a lower rate would gain nothing."""


class ClientFactory(WebSocketServerFactory):
    """The Autobahn factory of `ClientProtocol`; provides its `ConnectionOwner` and the hub's `Observer`."""

    noisy = False

    def __init__(
        self, hub: Hub, encodings: Encodings, settings: ClientSettings, clock: Clock, tokens: Tokens | None = None
    ) -> None:
        super().__init__(server="")
        self.context = ClientContext(hub, encodings, settings, clock, tokens)
        self.admission = Admission(
            settings.max_connections, settings.max_connections_per_address, settings.allowed_origins
        )
        self.refusals = Refusals(clock.monotonic_s)
        notifications = self.context.notifications
        self.jobs = PeriodicJobs(
            clock.monotonic_s,
            clock.call_later,
            1.0,
            {
                "stuck_clients": hub.fanout.sweep,
                "heartbeats": notifications.send_heartbeats,
                "market_states": notifications.check_markets,
                "tokens": self._close_revoked,
                "settled_accounts": self.context.ledger.forget_settled,
                "replay_cache": self.context.replay_cache.sweep,
            },
        )
        """Done each second, from the service's start to its stop."""
        self.draining = False
        self._clients: dict[ClientProtocol, None] = {}
        self._emptied: Deferred[None] | None = None
        hub.observer = self
        self._set_options(settings)

    def _set_options(self, settings: ClientSettings) -> None:
        # Autobahn's defaults are open: no limit on messages, a status page that redirects, no pings. allowNullOrigin
        # belongs in the same call, since every call resets it; origins are checked by `Admission`. So is the number
        # of connections: Autobahn's maxConnections would count refused connections too, and answer with HTTP 503,
        # whose reason no browser shows.
        self.setProtocolOptions(
            maxFramePayloadSize=settings.max_message_bytes,
            maxMessagePayloadSize=settings.max_message_bytes,
            webStatus=False,
            allowedOrigins=["*"],
            allowNullOrigin=True,
            failByDrop=False,
            autoPingInterval=settings.ping_interval_s,
            autoPingTimeout=settings.ping_timeout_s,
            openHandshakeTimeout=0,  # the whole request is there before a connection is made
            # Autobahn then aborts, and a reset makes the client's kernel drop a close frame that it has not read yet:
            # the client would see 1006 in place of the code. A second is too short for a busy client or a slow link.
            closeHandshakeTimeout=LINGER_S,
            maxConnections=0,
        )
        self._client_class = ClientProtocol.with_options(self)

    @property
    def tokens(self) -> Tokens | None:
        """The valid tokens; None: clients need none. May be set until the port is bound."""
        return self.context.tokens

    @tokens.setter
    def tokens(self, tokens: Tokens | None) -> None:
        self.context.tokens = tokens

    def connection(self, address: str, slot: Slot, payer: Payer) -> ClientProtocol:
        """The protocol of a client whose opening request was received; it leaves *slot* and *payer* at its end."""
        client = self._client_class(address, slot, payer)
        client.factory = self
        return client

    # ConnectionOwner.

    def opened(self, client: ClientProtocol) -> None:
        """A connection has opened that has a session."""
        self._clients[client] = None

    def closed(self, client: ClientProtocol) -> None:
        """A connection is gone, whether it had a session or not."""
        if client in self._clients:
            del self._clients[client]
            if not self._clients and self._emptied is not None:
                emptied, self._emptied = self._emptied, None
                emptied.callback(None)

    def __len__(self) -> int:
        return len(self._clients)

    def sessions(self) -> Iterator[ClientSession]:
        """The sessions of all clients that were admitted."""
        sessions = (client.session for client in self._clients)
        return (session for session in sessions if session is not None and session.is_open)

    # The hub's Observer.

    def status_changed(self, status: FeedStatus) -> None:
        """Send the status to every client, where what clients can see has changed."""
        if not self.draining:  # the feed goes on until the last client is gone, but its reconnects are not reported
            self.context.statuses.status_changed(status, self.sessions)

    def symbols_changed(self) -> None:
        """The next status carries the new list, and replayed ticks the new ids."""
        self.context.statuses.symbols_changed()

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Notify the symbol's subscribers."""
        self.context.notifications.symbol_refused(name, code)

    def first_subscribed(self, channel: Channel) -> None:
        """Clients that asked for market states are sent each change from now on."""
        self.context.notifications.first_subscribed(channel)

    # Periodic work and the end.

    def reconfigure(self, settings: ClientSettings, tokens: Tokens | None) -> None:
        """Use other settings and tokens. Limits of handshakes, messages and pings are those of connections to come, the
        others also of requests to come. Clients whose token is not valid any more are closed.
        """
        context = self.context
        before, context.tokens = context.tokens, tokens
        context.settings = settings
        self.admission.reconfigure(
            settings.max_connections, settings.max_connections_per_address, settings.allowed_origins
        )
        self._set_options(settings)
        if before is not None:
            self._revoke(before.revoked_by(tokens))

    def _close_revoked(self) -> None:
        """Close the clients whose token is no longer in the file."""
        if self.tokens is not None:
            self._revoke(self.tokens.refresh())

    def _revoke(self, digests: frozenset[bytes]) -> None:
        if digests:
            clients = [c for c in self._clients if c.session is not None and c.session.digest in digests]
            self._close(clients, CloseCode.BAD_TOKEN, "token revoked")

    def drain(self) -> Deferred[None]:
        """Accept no more clients, send ``disconnected`` to the present ones and close them, spread out; fires when the
        last is gone.
        """
        self.context.notifications.draining([session.subscriber for session in self.sessions()])
        self.context.hub.status_changed(FeedStatus(Status.DISCONNECTED, FeedState.STOPPED))
        self.draining = True
        done: Deferred[None] = Deferred()
        clients = list(self._clients)
        if not clients:
            done.callback(None)
            return done
        self._emptied = done
        self._close(clients, CloseCode.RESTART, "service restart")
        return done

    def hurry(self) -> None:
        """Close those who are left at once, in the middle of a drain. Whoever does not answer is cut off by Autobahn's
        timeout.
        """
        if self.draining:
            for client in list(self._clients):
                client.close(CloseCode.RESTART, "service restart")

    def _close(self, clients: Sequence[ClientProtocol], code: CloseCode, reason: str) -> None:
        """Close *clients*, spread over time: else they would all reconnect at one moment. Before that they are sent the
        broadcasts that were begun.
        """
        context = self.context
        spread_s = min(context.settings.drain_s, len(clients) / _CLOSES_PER_S)

        def closes() -> Iterator[None]:
            for position, client in enumerate(clients):
                context.clock.call_later(spread_s * position / len(clients), partial(client.close, code, reason))
                yield

        context.broadcasts.begin(closes())
