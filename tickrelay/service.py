"""The whole relay as one service: how its parts are joined, started and stopped."""

import secrets
import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tickrelay.clients import tokens
from tickrelay.clients.factory import ClientFactory
from tickrelay.clients.service import ClientService
from tickrelay.config import Config
from tickrelay.errors import SettingError
from tickrelay.figures import figures
from tickrelay.relay.hub import Hub
from tickrelay.replay.recorder import Recorder
from tickrelay.simulator.service import SimulatorService
from tickrelay.starting import refuse
from tickrelay.status import FeedState, FeedStatus, Status
from tickrelay.upstream.service import UpstreamService
from tickrelay.web.pages import site
from tickrelay.wire.encodings import make_encodings

STOP_TIMEOUT_S = 25.0


def bind(reactor: Any, description: str, factory: Any, source: str) -> IListeningPort:
    """Listen at a Twisted endpoint. Raises SettingError, which names *source*, the setting that *description* is of."""
    try:
        endpoint = serverFromString(reactor, description)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as e:
        raise SettingError(f"{source}: {description!r} is no Twisted endpoint: {e}") from None
    ports: list[IListeningPort] = []
    failures: list[BaseException] = []
    endpoint.listen(factory).addCallbacks(ports.append, lambda failure: failures.append(failure.value))
    for error in failures:
        if isinstance(error, CannotListenError):
            where = f"port {error.port}" if error.port else description
            raise SettingError(
                f"cannot listen on {where} ({error.socketError}; set by {source}): "
                "stop what uses it, or choose another with WS_PORT or --listen"
            )
        raise SettingError(f"cannot listen on {description} (set by {source}): {error}")
    return ports[0]


class ReactorTime:
    """The reactor as the hub's clocks (`tickrelay.relay.fanout.Time`)."""

    def __init__(self, reactor: Any) -> None:
        self.call_later: Callable[[float, Callable[[], None]], object] = reactor.callLater

    monotonic = staticmethod(time.monotonic)

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000


class RelayService(MultiService):
    """The whole relay. Starts from the clients' side inwards and stops the same way."""

    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        simulator: SimulatorService | None = None,
        recorder: Recorder | None = None,
        foreground: bool = True,
    ) -> None:
        super().__init__()
        self._foreground = foreground
        self._recorder = recorder
        self._reactor = reactor
        self._config = config
        self._simulator = simulator
        epoch = secrets.token_hex(3)
        encodings = make_encodings(epoch)
        clock = ReactorTime(reactor)
        self.hub = Hub(clock, encodings, config.relay, epoch)
        self._factory = ClientFactory(self.hub, encodings, config.clients, clock)
        self.clients = ClientService(self._factory, reactor)
        self.upstream: UpstreamService | None = None
        self._web: IListeningPort | None = None
        self._serving = False

    def privilegedStartService(self) -> None:
        """Bind the ports while the process may still have the rights to, and before anything connects."""
        try:
            if self._recorder is not None:
                self._recorder.check()
            if self._config.clients.tokens_file:
                self._factory.tokens = tokens.load(self._config.clients.tokens_file)
            self.clients.port = bind(self._reactor, self._config.clients.listen, self._factory, self._listen_source)
            if self._config.clients.admin:
                pages = site(figures(self.hub, self._factory, lambda: self.upstream, self._recorder), self._readiness)
                self._web = bind(self._reactor, self._config.clients.admin, pages, "TICKRELAY_ADMIN")
            settings = self._config.ctrader
            if self._simulator is not None:
                self._simulator.listen()
                settings = self._simulator.join(settings)
            record = self._recorder.frame if self._recorder is not None else None
            self.upstream = UpstreamService(settings, self.hub, self._reactor, record=record)
        except SettingError as e:
            refuse("tickrelay", e, self._foreground)
        self.hub.feed = self.upstream
        self.hub.status_changed(FeedStatus(Status.WS_OPEN, FeedState.IDLE))
        scheme = "wss" if self._config.clients.listen.startswith(("ssl:", "tls:")) else "ws"
        self._log.info(
            "clients connect to {url} (set by {source})", url=self.clients.url(scheme), source=self._listen_source
        )
        for name in ("host", "port"):
            source = "the simulator" if self._simulator else self._config.sources.get(name, "default")
            self._log.info(
                "cTrader {name} {value} (set by {source})", name=name, value=getattr(settings, name), source=source
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
