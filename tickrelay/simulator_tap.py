"""What ``twistd ctrader-simulator`` reads from the command line, and the service that it makes."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from twisted.application.service import IService

from tickrelay import endpoints
from tickrelay.config.command_line import GroupedHelp, by_purpose, parameters
from tickrelay.config.conversion import from_table
from tickrelay.config.places import read_text
from tickrelay.config.schema import settings_of
from tickrelay.model.errors import SettingError
from tickrelay.recording.player import Player
from tickrelay.simulator.faults.faults import check
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.startup import OneLineOptions, Prepared, steady

_USER = re.compile(r"\S+:[0-9]+L?(,[0-9]+L?)*", re.ASCII)


class Options(GroupedHelp, OneLineOptions):
    """The command line of ``twistd ctrader-simulator``. A flag is stronger than the same setting in ``--config``."""

    program = "ctrader-simulator"
    synopsis = "[options]"
    optParameters = [  # noqa: RUF012
        ["config", None, None, "TOML file with settings, users, accounts, rules (docs/simulator.rst)"],
        ["replay", None, None, "directory of a recording to play instead of the random market (see --speed)"],
        ["faults", None, None, "file with a fault script, such as: at 30s: drop; at 60s: hang account-auth for 20s"],
        *parameters(settings_of(SimulatorSettings)),
    ]
    purposes = by_purpose(
        settings_of(SimulatorSettings),
        {"listening": (), "market": ("replay",), "accounts": ("user",), "faults": ("fault", "faults", "rule")},
    )

    settings: SimulatorSettings

    def __init__(self) -> None:
        super().__init__()
        self.fault_lines: list[str] = []
        self.rules: dict[str, str] = {}
        self.users: list[str] = []
        self.tape: Player | None = None

    def opt_fault(self, statement: str) -> None:
        """A fault, as in a script; may be given more than once."""
        self.fault_lines.append(statement)

    def opt_rule(self, text: str) -> None:
        """A rule of the server, NAME=VALUE (docs/simulator.rst lists them); may be given more than once."""
        name, _, value = text.partition("=")
        self.rules[name.strip().replace("-", "_")] = value.strip()

    def opt_user(self, text: str) -> None:
        """A further user, TOKEN:ACCOUNT,ACCOUNT (a live one ends in L); may be given more than once."""
        self.users.append(text)

    def meant(self, word: str) -> str | None:
        """A port, with or without an address, is where to listen."""
        found = endpoints.address(word)
        if found is None:
            return None
        host, port = found
        return f"--host {host} --port {port}" if host else f"--port {port}"

    def postOptions(self) -> None:
        """Make the settings; a bad one ends the start with one line."""
        try:
            self.settings = self._load()
        except SettingError as e:
            raise SystemExit("\n".join(f"{self.program}: {problem}" for problem in e.problems)) from None

    def _load(self) -> SimulatorSettings:
        values: dict[str, Any] = {}
        if self["config"]:
            values.update(_read(self["config"]))
        flags = {name.replace("-", "_"): text for name, text in self.items() if name != "config" and text is not None}
        if directory := flags.pop("replay", None):
            self.tape = Player(directory)
        if "control" in flags:
            flags["control_port"] = flags.pop("control")
        rules, users = values.get("rules", {}), values.get("users", [])
        if not isinstance(rules, dict):
            raise SettingError("rules must be a table")
        if not isinstance(users, list):
            raise SettingError("users must be a list of tables")
        values["rules"] = {**rules, **self.rules}
        values["users"] = [*users, *map(_user, self.users)]
        script = [str(values.get("faults", "")), *self.fault_lines]
        if "faults" in flags:
            script.append(read_text(flags["faults"], "--faults"))
        check("\n".join(script))
        return from_table(SimulatorSettings, {**values, **flags, "faults": "\n".join(script)})


def _user(text: str) -> dict[str, Any]:
    """``TOKEN:7,8L`` as a table of ``users``. Raises SettingError."""
    if not _USER.fullmatch(text):
        raise SettingError(f"--user must be TOKEN:ACCOUNT,ACCOUNT, such as abc:7,8L, not {text!r}")
    token, _, accounts = text.rpartition(":")
    return {
        "access_token": token,
        "accounts": [
            {"account_id": word.removesuffix("L"), "live": word.endswith("L")} for word in accounts.split(",")
        ],
    }


def _read(path: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_text(path, "--config"))
    except tomllib.TOMLDecodeError as e:
        raise SettingError(f"--config: {path} is no TOML: {e}") from None
    except ValueError:  # int()'s own, which tomllib passes on: more than 4300 digits
        raise SettingError(f"--config: {path} has a number of thousands of digits") from None


class _Service(SimulatorService):
    def prepare(self, *, forking: bool = False) -> None:
        self.listen()

    def hurry(self) -> None:
        pass  # it waits for nobody

    @property
    def where(self) -> str:
        return f"simulates cTrader on {self.settings.host}:{self.port} (TLS)"


def makeService(options: Options) -> IService:
    """Called by twistd."""
    from twisted.internet import reactor

    return Prepared(_Service(options.settings, steady(reactor), recording=options.tape), options, reactor)
