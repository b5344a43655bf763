"""The whole relay as one service: how its parts are joined, started and stopped."""

import secrets
from collections.abc import Iterator
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tickrelay.config.schema import is_loopback
from tickrelay.config.settings import Config
from tickrelay.downstream import tokens
from tickrelay.downstream.factory import ClientFactory
from tickrelay.downstream.service import ClientService
from tickrelay.endpoints import PortInUse, UnixRehearsal, bind
from tickrelay.front.factory import FrontFactory
from tickrelay.front.proxies import LOCAL, TrustedProxies
from tickrelay.front.shared import Shared
from tickrelay.garbage import GarbageService
from tickrelay.model.clock import Clock
from tickrelay.model.errors import Problems, SettingError
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.recording.recorder import Recorder
from tickrelay.relay.hub import Hub
from tickrelay.reloading import compare
from tickrelay.simulator.service import SimulatorService
from tickrelay.startup import ReactorClock
from tickrelay.upstream.service import UpstreamService
from tickrelay.web import pages, public
from tickrelay.wire.encodings import make_encodings

STOP_TIMEOUT_S = 25.0


def front_of(factory: ClientFactory, clock: Clock, reactor: Any) -> FrontFactory:
    """What listens on the clients' port: WebSocket by *factory*, and the public pages."""
    settings = factory.context.settings
    site = public.site(factory.admission, factory.refusals, reactor)
    shared = Shared(
        admission=factory.admission,
        ledger=factory.context.ledger,
        refusals=factory.refusals,
        clock=clock,
        proxies=TrustedProxies(settings.trusted_proxies),
        head_timeout_s=settings.handshake_timeout_s,
        make_websocket=factory.connection,
        make_channel=lambda: site.buildProtocol(None),
    )
    return FrontFactory(shared, factory, site)


class RelayService(MultiService):
    """The whole relay. Starts from the clients' side inwards and stops the same way."""

    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        simulator: SimulatorService | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__()
        self._recorder = recorder
        self._reactor = reactor
        self._config = config
        self._simulator = simulator
        epoch = secrets.token_hex(3)
        encodings = make_encodings(epoch)
        clock = self._clock = ReactorClock(reactor)
        self.hub = Hub(clock, encodings, config.relay, epoch)
        self._factory = ClientFactory(self.hub, encodings, config.clients, clock)
        self._front = front_of(self._factory, clock, reactor)
        self.clients = ClientService(self._factory)
        GarbageService(self._factory.context.ledger, clock).setServiceParent(self)
        self.upstream: UpstreamService | None = None
        self.settings = config.ctrader
        """Of the cTrader connection; with a simulator that listens, of the one to it."""
        self._web: IListeningPort | None = None
        self._serving = False

    def prepare(self, *, forking: bool = False) -> None:
        """Check all that the start needs and bind the ports, before anything connects; again: do what is left.

        *forking*: twistd forks after this. A UNIX socket is then only tried, and bound later: its lock file names the
        process that made it, and would look abandoned. Raises SettingError with everything that is wrong.
        """
        problems = Problems()
        self._examine(problems)
        for listen in (self._listen, self._listen_admin):
            with problems:
                listen(forking)
        self._join(problems)
        problems.check()

    def rehearse(self) -> list[str]:
        """Do what `prepare` does, for `release` to follow. Returns what may be wrong, a line each: the settings'
        warnings, and ports in use, which the relay that runs may well use. Raises SettingError with everything else.
        """
        problems, doubts = Problems(), list(self._config.warnings)
        self._examine(problems)
        for listen in (self._listen, self._listen_admin):
            with problems:
                try:
                    listen(False)
                except PortInUse as e:
                    doubts.append(f"{e} (nothing is wrong where this is the relay that runs)")
        self._join(problems)
        if problems:
            raise SettingError(*problems, *doubts)
        return doubts

    async def release(self) -> None:
        """Let the ports of a rehearsal go."""
        for port in (self.clients.port, self._web):
            if port is not None:
                await maybeDeferred(port.stopListening)

    def _examine(self, problems: Problems) -> None:
        if self._recorder is not None:
            with problems:
                self._recorder.check()
        if self._config.clients.tokens_file:
            with problems:
                self._factory.tokens = tokens.load(self._config.clients.tokens_file)

    def _join(self, problems: Problems) -> None:
        """Make the cTrader side."""
        if self.upstream is not None or (problems and self._simulator is not None):
            return
        with problems:
            if self._simulator is not None:
                self._simulator.listen()
                self.settings = self._simulator.join(self.settings)
            record = self._recorder.frame if self._recorder is not None else None
            self.upstream = UpstreamService(self.settings, self.hub, self._reactor, self._clock, record=record)
            self.hub.feed = self.upstream
            if self._recorder is not None:
                self._recorder.finds_secret = self.upstream.session.redact.finds_secret

    def _listen(self, forking: bool) -> None:
        if self.clients.port is None:
            description = self._config.clients.listen
            reactor = self._binder(description, forking)
            self.clients.port = bind(reactor, description, self._front, self._listen_source)

    def _listen_admin(self, forking: bool) -> None:
        description = self._config.clients.admin
        if description and self._web is None:
            # Here, since prometheus_client takes 50 ms to import, which only relays with these pages should pay.
            from tickrelay.metrics import RelayCollector, page

            collector = RelayCollector(self.hub, self._factory, lambda: self.upstream, self._recorder)
            site = pages.site(page(collector), self._readiness)
            reactor = self._binder(description, forking)
            self._web = bind(reactor, description, site, self._config.sources["admin"], "--admin")

    def _binder(self, description: str, forking: bool) -> Any:
        return UnixRehearsal() if forking and description.startswith("unix:") else self._reactor

    @property
    def where(self) -> str:
        """Where clients connect, for people."""
        description = self._config.clients.listen
        if self.clients.port is None:
            return f"clients connect to {description}"
        return f"clients connect to {self.clients.url('wss' if description.startswith(('ssl:', 'tls:')) else 'ws')}"

    def privilegedStartService(self) -> None:
        """Do what is left to prepare, while the process may still have the rights to. Raises SettingError."""
        self.prepare()
        self.hub.status_changed(FeedStatus(Status.WS_OPEN, FeedState.IDLE))
        for warning in (*self._config.warnings, *self._exposure(), *self._one_address()):
            self._log.warn("{warning}", warning=warning)
        self._log.info("{where} (set by {source})", where=self.where, source=self._listen_source)
        for name in ("host", "port"):
            source = "the simulator" if self._simulator else self._config.sources.get(name, "default")
            value = getattr(self.settings, name)
            self._log.info("cTrader {name} {value} (set by {source})", name=name, value=value, source=source)

    def _exposure(self) -> Iterator[str]:
        """A warning where other machines get market data for nothing; it stays allowed."""
        host = getattr(self.clients.port.getHost(), "host", "") if self.clients.port is not None else ""
        # A UNIX socket has no host, and the simulator's prices are nobody's.
        if host and not is_loopback(host) and not self._config.clients.tokens_file and self._simulator is None:
            yield (
                f"whoever reaches {self._config.clients.listen} gets ticks: ask for tokens with TICKRELAY_TOKENS_FILE, "
                "limit browser pages with TICKRELAY_ALLOWED_ORIGINS, or listen on interface=127.0.0.1"
            )

    def _one_address(self) -> Iterator[str]:
        """A warning where the limit of one address is one of all clients. Behind TCP only the first of them tells."""
        clients = self._config.clients
        is_tighter = clients.max_connections_per_address < clients.max_connections
        is_trusted = TrustedProxies(clients.trusted_proxies).trusts(LOCAL)
        if clients.listen.startswith("unix:") and is_tighter and not is_trusted:
            yield (
                "all clients of a UNIX socket count as one address, against TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS: let "
                "the proxy send X-Forwarded-For and set TICKRELAY_TRUSTED_PROXIES=unix, or raise that limit"
            )

    def startService(self) -> None:
        """Serve the clients, then begin to connect to cTrader."""
        if self._recorder is not None:
            self._recorder.start()
        self.clients.setServiceParent(self)
        self._serving = True
        if self._simulator is not None:
            self._simulator.setServiceParent(self)
        if self.upstream is not None:
            self.upstream.setServiceParent(self)
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Let the clients go, then close the cTrader connection, then the rest; all within a deadline."""
        self._serving = False
        return Deferred.fromCoroutine(self._stop()).addTimeout(STOP_TIMEOUT_S, self._reactor, self._give_up)

    def hurry(self) -> None:
        """End the drain now."""
        self.clients.hurry()

    def reload(self, config: Config) -> None:
        """Use *config* as far as that is possible without a restart. Clients that are connected stay, except those
        whose token is no longer valid. Raises SettingError; then nothing has changed.
        """
        change = compare(self._config, config)
        clients = change.config.clients
        valid = tokens.load(clients.tokens_file) if clients.tokens_file else None
        warnings = set(config.warnings) - set(self._config.warnings)
        self._config = change.config
        self._factory.reconfigure(clients, valid)
        self.hub.reconfigure(change.config.relay)
        self._log.info("settings read again: {change}", change=change)
        for warning in (*sorted(warnings), *(self._exposure() if "TICKRELAY_TOKENS_FILE" in change.changed else ())):
            self._log.warn("{warning}", warning=warning)

    async def _stop(self) -> None:
        await self.clients.disownServiceParent()
        if self.upstream is not None:
            await self.upstream.disownServiceParent()
        await super().stopService()
        if self._web is not None:
            await maybeDeferred(self._web.stopListening)
        if self._recorder is not None:
            await self._recorder.stop()

    @property
    def _listen_source(self) -> str:
        return self._config.sources["listen"]

    def _readiness(self) -> tuple[bool, dict[str, object]]:
        status = self.hub.status
        return self._serving, {"serving": self._serving, "status": status.status, "feed": status.state}

    def _give_up(self, result: object, timeout_s: float) -> None:
        self._log.warn("not everything was closed within {timeout} s", timeout=timeout_s)
