"""Every listener that may speak TLS answers a client that offers ALPN, as browsers, curl and most libraries do."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.support.browser import Server
from tickrelay.endpoints import bind
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.web.pages import site

# Twisted 26.10 hands pyOpenSSL its own kind of certificate where an endpoint is described by a string.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Passing pyOpenSSL:DeprecationWarning", "ignore:X509.get_issuer:DeprecationWarning"
)

OFFERS = [["http/1.1"], ["h2", "http/1.1"], []]


class TLSReactor(MemoryReactorClock):
    """A memory reactor whose `listenSSL` puts TLS around the factory, as that of a real one does."""

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen as a real reactor: TCP, with TLS in between."""
        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface)


class Transport(StringTransport):
    """As a TCP transport, which twisted.web sets options on."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """No effect."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key and certificate for localhost, each in a file and both in localhost.pem."""
    folder = tmp_path_factory.mktemp("certificates")
    pair = authority.issue_cert("localhost")
    pair.private_key_pem.write_to_path(folder / "key.pem")
    pair.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    (folder / "sni").mkdir()
    pair.private_key_and_cert_chain_pem.write_to_path(folder / "sni" / "localhost.pem")
    return folder


def negotiated(listening: IProtocolFactory, trust: ssl.SSLContext, offer: list[str]) -> str | None:
    """What a client and the factory of a listener agree on by ALPN. Raises SSLError where there is no handshake."""
    if offer:
        trust.set_alpn_protocols(offer)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(incoming, outgoing, server_hostname="localhost")
    transport = Transport()
    server: Any = listening.buildProtocol(None)  # type: ignore[arg-type]
    server.makeConnection(transport)
    for _ in range(10):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            server.dataReceived(outgoing.read())
            incoming.write(transport.value())
            transport.clear()
        else:
            return client.selected_alpn_protocol()
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("pages", [False, True], ids=["clients", "operators"])
@pytest.mark.parametrize("kind", ["ssl", "tls"])
def test_a_port_of_the_relay_answers(
    certificates: Path, authority: trustme.CA, clock: Clock, kind: str, pages: bool, offer: list[str]
) -> None:
    """http/1.1 is chosen, the only protocol that WebSocket's opening handshake knows; without an offer, none."""
    description = {
        "ssl": f"ssl:443:privateKey={certificates / 'key.pem'}:certKey={certificates / 'cert.pem'}",
        "tls": f"tls:{certificates / 'sni'}:443",
    }[kind]
    reactor = TLSReactor()
    factory = site([], lambda: (True, {})) if pages else Server(clock).front
    bind(reactor, description, factory, "--listen")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    assert negotiated(reactor.tcpServers[0][1], trust, offer) == (offer[-1] if offer else None)


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("json", [False, True], ids=["port", "json-port"])
def test_a_port_of_the_simulator_answers(json: bool, offer: list[str]) -> None:
    """Clients of cTrader's WebSocket ports offer it too, and those that do not are served as before."""
    reactor = TLSReactor()
    simulator = SimulatorService(SimulatorSettings(port=1, json_port=2), reactor)
    simulator.listen()
    trust = ssl.create_default_context(cadata=simulator.ca_pem.decode())
    assert negotiated(reactor.tcpServers[json][1], trust, offer) == (offer[-1] if offer else None)
