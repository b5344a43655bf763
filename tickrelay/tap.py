"""What ``twistd tickrelay`` reads from the command line, and the service that it makes of it.

With its sibling `tickrelay.simulator_tap` the only file that names the global reactor.
"""

import os
import time
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread
from twisted.python import usage

from tickrelay import config
from tickrelay.cli import check
from tickrelay.config import Config, CTraderSettings
from tickrelay.errors import SettingError
from tickrelay.replay.recorder import Recorder
from tickrelay.service import RelayService
from tickrelay.setting import Places, Secret
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.starting import in_foreground, steady


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
        if self["check"]:
            react(_check, (self.config.ctrader, self.simulator))

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


def _check(reactor: Any, settings: CTraderSettings, simulated: SimulatorSettings | None) -> "Deferred[None]":
    if simulated is None:
        return check.main(reactor, settings)
    simulator = SimulatorService(simulated, reactor)
    simulator.startService()
    done = check.main(reactor, simulator.join(settings))
    return done.addBoth(lambda result: simulator.stopService().addCallback(lambda _: result))


def makeService(options: Options) -> IService:
    """Called by twistd."""
    from twisted.internet import reactor

    steady(reactor)
    simulator = None
    if options.simulator is not None:
        simulator = SimulatorService(options.simulator, reactor)
    recorder = None
    if options["record"]:
        recorder = Recorder(options["record"], reactor, time.time, deferToThread)
    return RelayService(options.config, reactor, simulator, recorder, in_foreground(options))
