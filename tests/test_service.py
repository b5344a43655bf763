"""How the relay listens: what is wrong with an endpoint is said in one line."""

import errno
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, LogLevel

from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.endpoints import PortInUse, bind
from tickrelay.model.errors import SettingError
from tickrelay.service import RelayService


class TakenReactor(MemoryReactorClock):
    """Binds no port, for the reason *number*."""

    def __init__(self, number: int = errno.EADDRINUSE) -> None:
        super().__init__()
        self.number = number

    def listenTCP(self, port: int, *args: object, **kwargs: object) -> None:  # type: ignore[override]
        """Refuse."""
        raise CannotListenError("", port, OSError(self.number, "no"))


class Port:
    """A port that knows its *interface*."""

    def __init__(self, interface: str) -> None:
        self.interface = interface

    def getHost(self) -> IPv4Address:
        """The interface; without one, every."""
        return IPv4Address("TCP", self.interface or "0.0.0.0", 8080)


class HostReactor(MemoryReactorClock):
    """Tells the interface that was asked for; Twisted's own says 0.0.0.0 for every one of IPv4."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:  # type: ignore[override]
        """Listen."""
        return Port(interface)


def test_an_endpoint_is_bound() -> None:
    """A Twisted endpoint description is enough."""
    reactor = MemoryReactorClock()
    bind(reactor, "tcp:9090:interface=127.0.0.1", Factory(), "--listen")
    assert [server[0] for server in reactor.tcpServers] == [9090]


@pytest.mark.parametrize("description", ["9090 please", "tcp:high", "ssl:443", "systemd:domain=INET:index=9"])
def test_a_malformed_endpoint_is_named(description: str) -> None:
    """The setting and the description are both said."""
    with pytest.raises(SettingError, match=r"^TICKRELAY_LISTEN"):
        bind(MemoryReactorClock(), description, Factory(), "TICKRELAY_LISTEN")


@pytest.mark.parametrize(
    ("source", "flag", "said"),
    [
        ("PORT", "--listen", "stop what uses it, or choose another with PORT or --listen"),
        ("default", "--listen", "stop what uses it, or choose another with WS_PORT or --listen"),
        ("TICKRELAY_LISTEN", "--listen", "stop what uses it, or choose another with --listen"),
        ("TICKRELAY_ADMIN", "--admin", "stop what uses it, or choose another with --admin"),
        ("--admin", "--admin", "stop what uses it, or choose another with --admin"),
    ],
)
def test_a_taken_port_is_named(source: str, flag: str, said: str) -> None:
    """The port, who set it, and the setting of that listener."""
    with pytest.raises(PortInUse) as raised:
        bind(TakenReactor(), "tcp:9090", Factory(), source, flag)
    assert str(raised.value) == f"cannot listen on port 9090 (no; set by {source}): {said}"


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EACCES, "the process may not"), (errno.EADDRNOTAVAIL, "this machine has no such address")],
)
def test_a_port_that_is_not_taken_but_cannot_be_bound(number: int, said: str) -> None:
    """Nobody is told to stop what uses it."""
    with pytest.raises(SettingError, match=said) as raised:
        bind(TakenReactor(number), "tcp:9090", Factory(), "PORT")
    assert not isinstance(raised.value, PortInUse)
    assert "stop what uses it" not in str(raised.value)


def relay(reactor: MemoryReactorClock, **environ: str) -> RelayService:
    """The service of these settings, with an account."""
    account = {"CTRADER_CLIENT_ID": "a", "CTRADER_CLIENT_SECRET": "b", "CTRADER_ACCOUNT_ID": "1"}
    places = Places({}, {**account, "CTRADER_ACCESS_TOKEN": "c", **environ}, {})
    return RelayService(settings.load(places), reactor)


BROKEN = {
    "TICKRELAY_TOKENS_FILE": "/nowhere/tokens",
    "TICKRELAY_LISTEN": "127.0.0.1:9001",
    "TICKRELAY_ADMIN": "tcp:abc",
    "CTRADER_REFRESH_TOKEN": "canary",
}


@pytest.mark.parametrize("entry", ["prepare", "rehearse"])
def test_the_start_and_the_check_find_the_same_and_all_of_it(entry: str) -> None:
    """Files, both listeners and the tokens, a line each."""
    with pytest.raises(SettingError) as raised:
        getattr(relay(MemoryReactorClock(), **BROKEN), entry)()
    assert [line.split()[0].rstrip(":") for line in raised.value.problems] == list(BROKEN)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("entry", ["prepare", "rehearse"])
def test_a_token_file_that_cannot_be_written_is_found_before_it_is_needed(entry: str) -> None:
    """A refresh token is good once: the new pair must have a place from the beginning."""
    service = relay(MemoryReactorClock(), CTRADER_REFRESH_TOKEN="canary", CTRADER_TOKEN_FILE="/nowhere/tokens.json")
    with pytest.raises(SettingError, match=r"^CTRADER_TOKEN_FILE: cannot write beside the token file /nowhere/tokens"):
        getattr(service, entry)()


@pytest.mark.parametrize("refresh", ["canary", ""])
@pytest.mark.parametrize("entry", ["prepare", "rehearse"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read the token file .*: Is a directory"),
        (b"\x9c\x00\xff", "is not JSON"),
        (b'{"access":', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"access": "canary"}', "has no accessToken"),
    ],
)
def test_a_token_file_that_is_none_is_refused(
    tmp_path: Path, entry: str, content: bytes | None, said: str, refresh: str
) -> None:
    """With the way out; a directory would take no new pair, and the refresh token would be spent for nothing."""
    path = tmp_path / "tokens"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    service = relay(MemoryReactorClock(), CTRADER_REFRESH_TOKEN=refresh, CTRADER_TOKEN_FILE=str(path))
    with pytest.raises(SettingError, match=rf"^CTRADER_TOKEN_FILE: .*{said}; restore it, or remove it") as raised:
        getattr(service, entry)()
    assert "canary" not in str(raised.value)


def test_a_token_file_may_be_empty_at_first(tmp_path: Path) -> None:
    """It was made for its owner and mode."""
    (tmp_path / "tokens").touch()
    environ = {"CTRADER_REFRESH_TOKEN": "r", "CTRADER_TOKEN_FILE": str(tmp_path / "tokens")}
    assert relay(MemoryReactorClock(), **environ).rehearse() == []


def test_a_token_file_that_is_only_read_need_not_be_writable() -> None:
    """Without a refresh token nothing is ever renewed: another program keeps the file."""
    assert relay(MemoryReactorClock(), CTRADER_TOKEN_FILE="/nowhere/tokens.json").rehearse() == []


def test_a_port_in_use_fails_the_start_and_is_a_doubt_of_the_check() -> None:
    """It may be the relay that runs, which a check must not call an error."""
    (doubt,) = relay(TakenReactor()).rehearse()
    assert "port 8080" in doubt and "the relay that runs" in doubt
    with pytest.raises(SettingError, match="port 8080"):
        relay(TakenReactor()).prepare()


def test_a_unix_socket_is_left_until_after_the_fork(tmp_path: Path) -> None:
    """Its lock file names the process that bound it; tcp is bound at once, and nothing twice."""
    reactor = MemoryReactorClock()
    service = relay(reactor, TICKRELAY_LISTEN=f"unix:{tmp_path}/x.sock", TICKRELAY_ADMIN="tcp:9090")
    service.prepare(forking=True)
    assert (len(reactor.unixServers), len(reactor.tcpServers)) == (0, 1)
    assert service.where == f"clients connect to unix:{tmp_path}/x.sock"
    assert not list(tmp_path.iterdir())
    service.prepare()
    assert (len(reactor.unixServers), len(reactor.tcpServers)) == (1, 1)


@pytest.mark.parametrize("flag", ["LISTEN", "ADMIN"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/socket", "No such file or directory"),
        ("live", "stop what uses it"),
        ("plain", "stop what uses it"),
        ("x" * 120, "AF_UNIX path too long"),
    ],
)
def test_a_unix_socket_that_cannot_be_bound_is_refused_before_the_fork(
    tmp_path: Path, flag: str, name: str, said: str
) -> None:
    """Its directory, a process that listens there, another file in its place: the terminal is still there to say it."""
    (tmp_path / "plain").touch()
    (tmp_path / "live.lock").symlink_to(str(os.getpid()))
    service = relay(MemoryReactorClock(), **{f"TICKRELAY_{flag}": f"unix:{tmp_path}/{name}"})
    with pytest.raises(SettingError, match=rf"^cannot listen on unix:.*set by TICKRELAY_{flag}") as raised:
        service.prepare(forking=True)
    assert said in str(raised.value)
    assert (tmp_path / "plain").exists()


def test_a_unix_socket_that_was_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    """After a crash the lock names a process that is gone: the socket is removed, as Twisted would."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "socket.lock").symlink_to(str(gone.pid))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "socket"))
    relay(MemoryReactorClock(), TICKRELAY_LISTEN=f"unix:{tmp_path}/socket").prepare(forking=True)
    assert not list(tmp_path.iterdir())


LOOPBACK = "tcp:8080:interface=127.0.0.1"


def warnings(logged: list[LogEvent]) -> list[str]:
    """The warnings in the log."""
    return [e["warning"] for e in logged if e.get("log_level") is LogLevel.warn]


@pytest.mark.parametrize(
    ("listen", "tokens", "warned"),
    [
        ("tcp:8080", False, True),
        (r"tcp:8080:interface=\:\:", False, True),
        ("tcp:8080:interface=192.0.2.1", False, True),
        ("tcp:8080", True, False),
        (LOOPBACK, False, False),
        (r"tcp:8080:interface=\:\:1", False, False),
        ("unix:{folder}/socket", False, False),
    ],
)
def test_a_relay_open_to_other_machines_is_warned_of_once(
    tmp_path: Path, logged: list[LogEvent], listen: str, tokens: bool, warned: bool
) -> None:
    """With the settings that change it; neither this machine nor those with tokens are a matter of concern."""
    (tmp_path / "tokens").write_text("0" * 64)
    environ = {"TICKRELAY_TOKENS_FILE": str(tmp_path / "tokens")} if tokens else {}
    relay(HostReactor(), TICKRELAY_LISTEN=listen.format(folder=tmp_path), **environ).privilegedStartService()
    found = [line for line in warnings(logged) if "whoever reaches" in line]
    assert len(found) == warned
    for line in found:
        assert "TICKRELAY_TOKENS_FILE" in line and "TICKRELAY_ALLOWED_ORIGINS" in line


def test_warnings_of_the_settings_are_logged_at_the_start(logged: list[LogEvent]) -> None:
    """A misspelt variable of the environment is named, once, at warn."""
    relay(HostReactor(), TICKRELAY_LISTN="x", TICKRELAY_LISTEN=LOOPBACK).privilegedStartService()
    assert warnings(logged) == ["TICKRELAY_LISTN is no setting; did you mean TICKRELAY_LISTEN?"]
