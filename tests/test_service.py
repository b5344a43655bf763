"""How the relay listens: what is wrong with an endpoint is said in one line."""

import pytest

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from tickrelay.errors import SettingError
from tickrelay.service import bind


class TakenReactor(MemoryReactorClock):
    """Every port is taken."""

    def listenTCP(self, port: int, *args: object, **kwargs: object) -> None:  # type: ignore[override]
        """Refuse."""
        raise CannotListenError("", port, OSError("in use"))


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


def test_a_taken_port_is_named() -> None:
    """The port, who set it, and what to do."""
    with pytest.raises(SettingError, match=r"port 9090 \(in use; set by PORT\): .*--listen"):
        bind(TakenReactor(), "tcp:9090", Factory(), "PORT")
