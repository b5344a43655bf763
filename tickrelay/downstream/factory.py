"""All clients together: who is connected, what everybody is told, and how they are let go at the end."""

from collections.abc import Iterator, Sequence
from functools import partial

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.logger import Logger
from zope.interface import implementer

from tickrelay.config.settings import ClientSettings
from tickrelay.downstream.admission import Admission
from tickrelay.downstream.broadcast import Broadcast
from tickrelay.downstream.diagnostics import symbol_info
from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.notifications import Pushes
from tickrelay.downstream.protocol import ClientProtocol
from tickrelay.downstream.refusals import Refusals
from tickrelay.downstream.session import ClientSession
from tickrelay.downstream.tokens import Tokens
from tickrelay.model.clock import Clock
from tickrelay.model.errors import CloseCode
from tickrelay.model.status import FeedStatus, Status
from tickrelay.relay.channel import Channel
from tickrelay.relay.hub import Hub
from tickrelay.wire.encodings import Encoding, Encodings
from tickrelay.wire.messages import Detail, Feed, StatusMessage, SymbolInfo

_CLOSES_PER_S = 100.0
"""Where many clients are closed: so few reconnect at once that their closes need not be spread any longer."""

_INFOS_KEPT_MS = 5_000


@implementer(IProtocolNegotiationFactory)
class ClientFactory(WebSocketServerFactory):
    """The Autobahn factory of `ClientProtocol`; the hub's observer."""

    noisy = False
    _log = Logger()

    def __init__(
        self, hub: Hub, encodings: Encodings, settings: ClientSettings, clock: Clock, tokens: Tokens | None = None
    ) -> None:
        super().__init__(server="")
        self.hub = hub
        self.encodings = encodings
        self.settings = settings
        self.clock = clock
        self.admission = Admission(
            settings.max_connections, settings.max_connections_per_address, settings.allowed_origins
        )
        self.refusals = Refusals(clock.monotonic_s)
        self.tokens = tokens
        """Who may come in; None: everybody."""
        self.pushes = Pushes(hub, clock.wall_ms)
        self.draining = False
        self._clients: dict[ClientProtocol, None] = {}
        self._broadcast = Broadcast(clock.call_later)
        self._told = hub.status
        self._frames: dict[Encoding, bytes] = {}
        self._emptied: Deferred[None] | None = None
        self._names = SymbolDirectory({})
        self._infos: tuple[int, SymbolDirectory, list[SymbolInfo]] = (0, self._names, [])
        hub.observer = self
        # Autobahn's defaults are open: no limit on messages, a status page that redirects, no pings. allowNullOrigin
        # belongs in the same call, since every call resets it; who may connect is the admission's business. So is how
        # many: Autobahn's maxConnections would count refused connections too, and answer with HTTP 503, whose reason
        # no browser shows.
        self.setProtocolOptions(
            maxFramePayloadSize=settings.max_message_bytes,
            maxMessagePayloadSize=settings.max_message_bytes,
            webStatus=False,
            allowedOrigins=["*"],
            allowNullOrigin=True,
            failByDrop=False,
            autoPingInterval=settings.ping_interval_s,
            autoPingTimeout=settings.ping_timeout_s,
            openHandshakeTimeout=settings.handshake_timeout_s,
            closeHandshakeTimeout=1.0,
            maxConnections=0,
        )
        self.protocol = ClientProtocol.with_options(self)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on by ALPN (RFC 7301): WebSocket opens with HTTP/1.1.

        Asked by TLS listeners of every kind. Twisted (26.10) answers an offer that it has no protocol for with an empty
        name, on which OpenSSL ends the handshake: without this method no browser could connect.
        """
        return [b"http/1.1"]

    # Who is here.

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
        """The sessions of all clients that were let in."""
        sessions = (client.session for client in self._clients)
        return (session for session in sessions if session is not None and session.is_open)

    # What everybody can ask.

    @property
    def names(self) -> SymbolDirectory:
        """The present symbol list, by the names that clients use."""
        if self._names.symbols is not self.hub.symbols:
            self._names = SymbolDirectory(self.hub.symbols)
        return self._names

    def symbol_infos(self) -> list[SymbolInfo]:
        """What is known of every symbol; made at most once in a few seconds, however many ask."""
        now_ms = self.clock.wall_ms()
        made_ms, names, infos = self._infos
        if names is not self.names or now_ms - made_ms > _INFOS_KEPT_MS:
            infos = [symbol_info(symbol, now_ms) for symbol in self.hub.symbols.values()]
            self._infos = (now_ms, self.names, infos)
        return infos

    def feed(self) -> Feed:
        """How the feed does."""
        feed = Feed(state=self.hub.status.state)
        age_s = self.hub.spot_age_s
        if age_s is not None and self.hub.fanout.last_flush_s:
            feed.last_spot_age_ms = int(age_s * 1000)
        return feed

    # What everybody is told.

    @property
    def status_number(self) -> int:
        """Counts the statuses that were broadcast."""
        return self._broadcast.number

    def status_frame(self, encoding: Encoding) -> bytes:
        """The frame of the present status, made once however many clients ask."""
        frame = self._frames.get(encoding)
        if frame is None:
            frame = self._frames[encoding] = encoding.message(self.status_message())
        return frame

    def status_message(self) -> StatusMessage:
        """The present status; the symbol list is full on ``connected`` and empty on the others."""
        status = self.hub.status
        connected = status.status is Status.CONNECTED
        names = [symbol.name for symbol in self.hub.symbols.values() if symbol.enabled] if connected else []
        message = StatusMessage(status=status.status, available_symbols=names, epoch=self.hub.epoch, feed=self.feed())
        if status.message:
            message.message = status.message
        if status.upstream_code:
            message.detail = Detail(upstream=status.upstream_code)
        return message

    def status_changed(self, status: FeedStatus) -> None:
        """Tell every client, where what it can see has changed."""
        self._frames = {}
        told, self._told = self._told, status
        # What goes on while connecting is for the log; that an error has another cause is for everybody.
        if status.status is not told.status or (status.status is Status.ERROR and status.message != told.message):
            self._log_status(status)
            sessions = list(self.sessions())
            in_use = {session.subscriber.encoding for session in sessions}
            self._broadcast.send({encoding: self.status_frame(encoding) for encoding in in_use}, sessions)

    def _log_status(self, status: FeedStatus) -> None:
        """One line a transition. Causes that pass are logged by the feed; an error's cause is logged here only."""
        names = {"status": status.status.value, "state": status.state.value}
        if status.status is Status.ERROR:
            self._log.error("status {status} ({state}): {why}", why=status.message, **names)
        else:
            self._log.info("status {status} ({state})", **names)

    def symbols_changed(self) -> None:
        """The next status carries the new list."""
        self._frames = {}

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Those who asked for notices are told; the others wait for ticks."""
        self.pushes.symbol_refused(name, code, message)

    def first_subscribed(self, channel: Channel) -> None:
        """Clients that asked for market states are told of each change from now on."""
        self.pushes.first_subscribed(channel)

    def each_second(self) -> None:
        """What is to be done from time to time; called by the service."""
        self.hub.fanout.sweep()
        self.pushes.each_second()
        revoked = self.tokens.refresh() if self.tokens is not None else ()
        if revoked:
            clients = [c for c in self._clients if c.session is not None and c.session.digest in revoked]
            self._close(clients, CloseCode.BAD_TOKEN, "token revoked")

    def log_failure(self, peer: str) -> None:
        """Log the exception that a client's request met."""
        self._log.failure("request of {peer} failed", peer=peer)

    # The end.

    def drain(self) -> Deferred[None]:
        """Take no more clients and close those who are here, spread out; fires when the last is gone."""
        self.draining = True
        done: Deferred[None] = Deferred()
        clients = list(self._clients)
        if not clients:
            done.callback(None)
            return done
        self._emptied = done
        self.pushes.draining([session.subscriber for session in self.sessions()])
        self._close(clients, CloseCode.RESTART, "service restart")
        return done

    def _close(self, clients: Sequence[ClientProtocol], code: CloseCode, reason: str) -> None:
        """Close them, spread out: all at once would be a long turn of the reactor, and a herd that comes back."""
        spread_s = min(self.settings.drain_s, len(clients) / _CLOSES_PER_S)
        for position, client in enumerate(clients):
            self.clock.call_later(spread_s * position / len(clients), partial(client.close, code, reason))
