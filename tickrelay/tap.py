"""What ``twistd tickrelay`` reads from the command line, and the service that it makes of it.

With its sibling `tickrelay.simulator_tap` the only file that names the global reactor.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from tickrelay import endpoints
from tickrelay.cli import check
from tickrelay.config import settings, spelling
from tickrelay.config.command_line import GroupedHelp, by_purpose, parameters
from tickrelay.config.conversion import convert
from tickrelay.config.dotenv_file import read_dotenv
from tickrelay.config.places import Places
from tickrelay.config.schema import Secret
from tickrelay.config.settings import Config
from tickrelay.logs.service_log import ServiceLog
from tickrelay.model.errors import SettingError
from tickrelay.recording.recorder import Recorder
from tickrelay.service import RelayService
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import Pace, SimulatorSettings
from tickrelay.startup import OneLineOptions, Prepared, steady


class Options(GroupedHelp, OneLineOptions):
    """The command line of ``twistd tickrelay``; every flag is also an environment variable (docs/operations.rst)."""

    program = "tickrelay"
    synopsis = "[options]"
    introduction = (
        "Options with a name in capitals can also be set by the environment variable of that name, or in .env. The "
        "account is set only there, since anyone can read a command line: "
        f"{', '.join(s.env for s in settings.settings() if not s.flag)}. NAME_FILE names a file that holds the value."
    )
    optFlags = [  # noqa: RUF012
        ["simulate", None, "use a simulated cTrader server inside this process: no account needed"],
        ["check", None, "try the settings step by step, report what is wrong, and exit"],
    ]
    optParameters = [  # noqa: RUF012
        ["env-file", None, None, "file with settings, in place of .env"],
        ["record", None, None, "directory in which to record what cTrader sends (docs/simulator.rst)"],
        [
            "simulate-rate",
            None,
            "1.0",
            "with --simulate: ticks per second, as a multiple of the usual 40 to 110 [default 1.0]",
        ],
        *parameters(settings.settings()),
    ]
    purposes = by_purpose(
        settings.settings(),
        {
            "cTrader": (),
            "clients": (),
            "relay": (),
            "operators": ("check", "env-file", "record"),
            "simulator": ("simulate", "simulate-rate"),
        },
    )

    config: Config
    simulator: SimulatorSettings | None = None

    def postOptions(self) -> None:
        """Make the Config, so that a bad setting ends the start with one line and nothing has connected yet."""
        try:
            self.config = self._load()
        except SettingError as e:
            raise SystemExit("\n".join(f"tickrelay: {problem}" for problem in e.problems)) from None
        self._folder = os.getcwd()
        if self["check"]:
            react(lambda reactor: Deferred.fromCoroutine(_check(reactor, self)))

    def load_again(self) -> Config:
        """The Config, from the same places: the command line and the environment stay, files may have changed. Raises
        SettingError.
        """
        try:
            with contextlib.chdir(self._folder):  # relative paths count from there, and twistd has a --rundir
                return self._load()
        except OSError as e:
            raise SettingError(f"cannot change to {self._folder}: {e.strerror}") from None

    def meant(self, word: str) -> str | None:
        """An endpoint or a port is where to listen."""
        endpoint = endpoints.meant(word)
        return endpoint and f"--listen {endpoint}"

    def _load(self) -> Config:
        flags = {s.flag: self[s.flag] for s in settings.settings() if s.flag}
        path, dotenv = self["env-file"] or ".env", {}
        if self["env-file"] == "":
            raise SettingError("--env-file must name a file")
        if self["env-file"] or os.path.lexists(path):  # a link to nowhere is a mistake
            names = [s.env for s in settings.settings()]
            dotenv = read_dotenv(path, lambda name: spelling.is_ours(name, names))
        places = Places(flags, os.environ, dotenv, path)
        if not self["simulate"]:
            return settings.load(places)
        rate = convert(Pace, self["simulate-rate"], "--simulate-rate")
        self.simulator = sim = SimulatorSettings(port=0, rate=rate)
        return settings.load(
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


def _relay(options: Options, reactor: Any) -> tuple[RelayService, SimulatorService | None]:
    simulator = None
    if options.simulator is not None:
        simulator = SimulatorService(options.simulator, reactor)
    recorder = None
    if options["record"]:
        recorder = Recorder(Path(options["record"]).absolute(), reactor, time.time, deferToThread)
    return RelayService(options.config, reactor, simulator, recorder), simulator


async def _check(reactor: Any, options: Options) -> None:
    relay, simulator = _relay(options, reactor)
    try:
        try:
            well = check.local(relay.rehearse)
        finally:
            await relay.release()
        if not well:
            raise SystemExit(1)
        await check.main(reactor, relay.settings)
    finally:
        if simulator is not None:
            await simulator.stopService()


def makeService(options: Options) -> IService:
    """Called by twistd."""
    from twisted.internet import reactor

    relay, _ = _relay(options, steady(reactor))
    log = ServiceLog(options.config.log.levels)

    def reload() -> None:
        config = options.load_again()
        relay.reload(config)
        log.set_levels(config.log.levels)

    return Prepared(relay, options, reactor, log, reload)
