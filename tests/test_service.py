"""How the relay listens: what is wrong with an endpoint is said in one line."""

import errno

import pytest

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, LogLevel

from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.model.errors import SettingError
from tickrelay.service import PortInUse, RelayService, bind


class TakenReactor(MemoryReactorClock):
    """Binds no port, for the reason *number*."""

    def __init__(self, number: int = errno.EADDRINUSE) -> None:
        super().__init__()
        self.number = number

    def listenTCP(self, port: int, *args: object, **kwargs: object) -> None:  # type: ignore[override]
        """Refuse."""
        raise CannotListenError("", port, OSError(self.number, "no"))


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


def test_a_token_file_that_is_only_read_need_not_be_writable() -> None:
    """Without a refresh token nothing is ever renewed: another program keeps the file."""
    assert relay(MemoryReactorClock(), CTRADER_TOKEN_FILE="/nowhere/tokens.json").rehearse() == []


def test_a_port_in_use_fails_the_start_and_is_a_doubt_of_the_check() -> None:
    """It may be the relay that runs, which a check must not call an error."""
    (doubt,) = relay(TakenReactor()).rehearse()
    assert "port 8080" in doubt and "the relay that runs" in doubt
    with pytest.raises(SettingError, match="port 8080"):
        relay(TakenReactor()).prepare()


def test_a_unix_socket_is_left_until_after_the_fork() -> None:
    """Its lock file names the process that bound it; tcp is bound at once, and nothing twice."""
    reactor = MemoryReactorClock()
    service = relay(reactor, TICKRELAY_LISTEN="unix:/run/x.sock", TICKRELAY_ADMIN="tcp:9090")
    service.prepare(forking=True)
    assert (len(reactor.unixServers), len(reactor.tcpServers)) == (0, 1)
    assert service.where == "clients connect to unix:/run/x.sock"
    service.prepare()
    assert (len(reactor.unixServers), len(reactor.tcpServers)) == (1, 1)


def test_warnings_of_the_settings_are_logged_at_the_start(logged: list[LogEvent]) -> None:
    """A misspelt variable of the environment is named, once, at warn."""
    relay(MemoryReactorClock(), TICKRELAY_LISTN="x").privilegedStartService()
    warnings = [e["warning"] for e in logged if e.get("log_level") is LogLevel.warn]
    assert warnings == ["TICKRELAY_LISTN is no setting; did you mean TICKRELAY_LISTEN?"]
