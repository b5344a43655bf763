"""The composition: what ``twistd tickrelay`` reads from the command line, and how the parts are joined.

The one file (with its sibling `tickrelay.simulator_tap`) that names the global reactor, and the one place where the
ends meet: upstream feeds the hub, clients are served from it.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python import usage

from tickrelay import config
from tickrelay.clients import tokens
from tickrelay.clients.factory import ClientFactory
from tickrelay.clients.service import ClientService
from tickrelay.config import Config, Places, Secret
from tickrelay.errors import SettingError
from tickrelay.figures import figures
from tickrelay.relay.hub import Hub
from tickrelay.replay.recorder import Recorder
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.status import FeedState, FeedStatus, Status
from tickrelay.upstream.service import UpstreamService
from tickrelay.web.service import WebService, site
from tickrelay.wire.encodings import make_encodings

STOP_TIMEOUT_S = 25.0


class Options(usage.Options):
    """The command line of ``twistd tickrelay``; every flag is also an environment variable (docs/operations.rst)."""

    synopsis = "[options]"
    optFlags = [  # noqa: RUF012
        ["simulate", None, "Use a simulated cTrader server inside this process: no account needed."],
        ["check", None, "Try the settings step by step, say what is wrong, and exit."],
    ]
    optParameters = [  # noqa: RUF012
        ["env-file", None, ".env", "File with settings, besides the environment."],
        ["record", None, None, "Directory in which to record what comes from cTrader (docs/simulator.rst)."],
        ["simulate-rate", None, "1.0", "With --simulate: how busy the market is, times the usual."],
        *(
            [f.metadata["flag"], None, None, f"{f.metadata['about'].capitalize()} ({f.metadata['env']})."]
            for f in config.settings()
            if f.metadata["flag"]
        ),
    ]

    config: Config
    simulator: SimulatorSettings | None = None

    def postOptions(self) -> None:
        """Make the Config, so that a bad setting ends the start with one line and nothing has connected yet."""
        try:
            self.config = self._load()
        except SettingError as e:
            raise SystemExit(f"tickrelay: {e}") from None

    def _load(self) -> Config:
        flags = {f.metadata["flag"]: self[f.metadata["flag"]] for f in config.settings() if f.metadata["flag"]}
        path = Path(self["env-file"])
        try:
            dotenv = dict(dotenv_values(path, interpolate=False)) if path.is_file() else {}
        except (OSError, UnicodeDecodeError) as e:
            raise SettingError(f"--env-file: cannot read {path}: {e}") from None
        places = Places(flags, os.environ, dotenv)
        if not self["simulate"]:
            return config.load(places)
        try:
            rate = float(self["simulate-rate"])
        except ValueError:
            raise SettingError(f"--simulate-rate must be a number, not {self['simulate-rate']!r}") from None
        self.simulator = sim = SimulatorSettings(port=0, rate=rate)
        return config.load(
            places,
            ctrader={
                "client_id": sim.client_id,
                "client_secret": Secret(sim.client_secret),
                "access_token": Secret(sim.access_token),
                "account_id": sim.account_id,
                "host": "localhost",
                "port": 0,
                "ca_file": "",
                "refresh_token": Secret(""),
                "token_file": "",
            },
        )


class ReactorTime:
    """The reactor as the hub's clocks (`tickrelay.relay.hub.Time`)."""

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
    ) -> None:
        super().__init__()
        self._recorder = recorder
        self._reactor = reactor
        self._config = config
        self._simulator = simulator
        epoch = secrets.token_hex(3)
        encodings = make_encodings(epoch)
        clock = ReactorTime(reactor)
        self.hub = Hub(clock, encodings, config.relay, epoch)
        self._factory = ClientFactory(self.hub, encodings, config.clients, clock)
        self.clients = ClientService(self._factory, config.clients.listen, config.sources["listen"], reactor)
        self.upstream: UpstreamService | None = None
        pages = site(figures(self.hub, self._factory, lambda: self.upstream), self._readiness)
        self.web = WebService(pages, config.clients.admin, reactor)
        self._serving = False

    def privilegedStartService(self) -> None:
        """Bind the ports while the process may still have the rights to, and before anything connects."""
        try:
            if self._config.clients.tokens_file:
                self._factory.tokens = tokens.load(self._config.clients.tokens_file)
            self.clients.listen()
            self.web.listen()
            settings = self._config.ctrader
            if self._simulator is not None:
                self._simulator.listen()
                settings = self._simulator.join(settings)
            record = self._recorder.frame if self._recorder is not None else None
            self.upstream = UpstreamService(settings, self.hub, self._reactor, record=record)
        except SettingError as e:
            sys.exit(f"tickrelay: {e}")
        self.hub.feed = self.upstream
        self.hub.status_changed(FeedStatus(Status.WS_OPEN, FeedState.IDLE))
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
        self.web.setServiceParent(self)
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
        if self._recorder is not None:
            await self._recorder.stop()

    def _readiness(self) -> tuple[bool, dict[str, object]]:
        status = self.hub.status
        return self._serving, {"serving": self._serving, "status": status.status, "feed": status.state}

    def _give_up(self, result: object, timeout_s: float) -> None:
        self._log.warn("not everything was closed within {timeout} s", timeout=timeout_s)


def makeService(options: Options) -> IService:
    """Called by twistd."""
    from twisted.internet import reactor

    simulator = None
    if options.simulator is not None:
        simulator = SimulatorService(options.simulator, reactor)
    recorder = None
    if options["record"]:
        recorder = Recorder(options["record"], reactor, time.time, deferToThread)
    return RelayService(options.config, reactor, simulator, recorder)
