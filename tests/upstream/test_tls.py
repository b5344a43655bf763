"""Real TLS, in memory: a peer that is not verified never gets a secret, and the message names the remedy."""

import time
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim

from tests.support.relay import TestClock
from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings
from tickrelay.model.errors import SettingError
from tickrelay.openapi.messages_pb2 import ProtoOAApplicationAuthReq
from tickrelay.simulator.certificates import ServerCertificate, make_certificate
from tickrelay.upstream.causes import cause_of_loss
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Kind, LinkLost
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol
from tickrelay.upstream.tls import ClientOptions

SETTINGS = CTraderSettings(
    client_id="c", client_secret=Secret("s"), access_token=Secret("t"), account_id=1, host="localhost"
)


class Server(Protocol):
    """Keeps the bytes that it receives."""

    def __init__(self) -> None:
        self.read = b""

    def dataReceived(self, data: bytes) -> None:
        """Kept."""
        self.read += data


class Owner:
    """Sends a secret as soon as the link is secured."""

    def __init__(self) -> None:
        self.secured = False
        self.reason: Failure | None = None

    def link_secured(self, link: OpenApiProtocol) -> None:
        """Now it may."""
        self.secured = True
        request = link.request(ProtoOAApplicationAuthReq(clientId="c", clientSecret="canary"))
        request.addErrback(lambda f: f.trap(LinkLost))

    def link_garbled(self, link: OpenApiProtocol, reason: str) -> None:
        """Nothing."""

    def link_lost(self, link: OpenApiProtocol, reason: Failure) -> None:
        """Kept."""
        self.reason = reason


def meet(certificate: ServerCertificate, options: ClientOptions) -> tuple[Owner, Server]:
    """Run a handshake, and whatever follows it."""
    clock, owner, server = Clock(), Owner(), Server()
    link = OpenApiProtocol(TestClock(clock), owner, lambda *_: None, Counters(), LinkSettings(account_id=1))

    def tls(context: Any, is_client: bool, protocol: Any) -> Any:
        return TLSMemoryBIOFactory(context, is_client, Factory.forProtocol(lambda: protocol), clock).buildProtocol(None)

    server_end, client_end = tls(certificate.options, False, server), tls(options, True, link)
    pump = iosim.connect(
        server_end, iosim.FakeTransport(server_end, True), client_end, iosim.FakeTransport(client_end, False)
    )
    for _ in range(20):
        pump.flush()
        clock.advance(0.01)
    return owner, server


@pytest.fixture
def certificate() -> ServerCertificate:
    """A server's certificate for localhost."""
    return make_certificate(["localhost"], time.time())


def ca_file(folder: Path, certificate: ServerCertificate) -> str:
    """The authority of a certificate in a file."""
    path = folder / "ca.pem"
    path.write_bytes(certificate.authority_pem)
    return str(path)


def test_a_trusted_server_gets_the_credentials(certificate: ServerCertificate, tmp_path: Path) -> None:
    """The extra authority is trusted, the name fits: the handshake completes, then the secret is written."""
    owner, server = meet(certificate, ClientOptions("localhost", ca_file(tmp_path, certificate)))
    assert owner.secured and b"canary" in server.read


def test_an_untrusted_server_gets_nothing(certificate: ServerCertificate) -> None:
    """Without the authority no byte is sent, and the cause names the remedy."""
    owner, server = meet(certificate, ClientOptions("localhost"))
    assert not owner.secured and server.read == b"" and owner.reason is not None
    cause = cause_of_loss(owner.reason, SETTINGS)
    assert cause.kind is Kind.CERTIFICATE and cause.kind.needs_operator
    assert "localhost:5035" in cause.message and "CTRADER_CA_FILE" in cause.message


def test_the_wrong_name_gets_nothing(certificate: ServerCertificate, tmp_path: Path) -> None:
    """A valid certificate of another host."""
    owner, server = meet(certificate, ClientOptions("demo.ctraderapi.com", ca_file(tmp_path, certificate)))
    assert not owner.secured and server.read == b"" and owner.reason is not None
    cause = cause_of_loss(owner.reason, SETTINGS)
    assert cause.kind is Kind.CERTIFICATE and "CTRADER_HOST" in cause.message


def test_an_expired_certificate_gets_nothing(tmp_path: Path) -> None:
    """Expired a while ago."""
    old = make_certificate(["localhost"], time.time() - 200 * 86_400)
    owner, server = meet(old, ClientOptions("localhost", ca_file(tmp_path, old)))
    assert not owner.secured and server.read == b"" and owner.reason is not None
    assert "has expired" in cause_of_loss(owner.reason, SETTINGS).message


def test_a_replaced_authority_is_trusted_at_the_next_connection(tmp_path: Path) -> None:
    """The file is read again when it has changed; a broken one leaves things as they were."""
    one, two = (make_certificate(["localhost"], time.time()) for _ in range(2))
    options = ClientOptions("localhost", ca_file(tmp_path, one))
    assert meet(one, options)[0].secured
    ca_file(tmp_path, two)
    assert meet(two, options)[0].secured
    assert not meet(one, options)[0].secured
    (tmp_path / "ca.pem").write_text("no certificate")
    assert meet(two, options)[0].secured


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_bad_ca_file_is_a_setting_error(tmp_path: Path, content: bytes | None) -> None:
    """Found at the start, in one line that names the setting."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingError, match="CTRADER_CA_FILE"):
        ClientOptions("localhost", str(path))


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ("tlsv1 alert protocol version", Kind.CERTIFICATE),
        ("wrong version number", Kind.CERTIFICATE),
        ("sslv3 alert handshake failure", Kind.CERTIFICATE),
        ("unexpected eof while reading", Kind.NETWORK),
    ],
)
def test_what_is_no_tls_is_not_retried_in_a_hurry(details: str, kind: Kind) -> None:
    """A peer without TLS or with a version that is too old; a connection that broke is temporary trouble."""
    cause = cause_of_loss(Failure(SSL.Error([("SSL routines", "", details)])), SETTINGS)
    assert cause.kind is kind and details in cause.message


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_addresses_are_verified_as_such(host: str, tmp_path: Path) -> None:
    """A certificate for an IP address is valid for that address."""
    certificate = make_certificate([host], time.time())
    assert meet(certificate, ClientOptions(host, ca_file(tmp_path, certificate)))[0].secured
    assert not meet(certificate, ClientOptions("127.0.0.9", ca_file(tmp_path, certificate)))[0].secured
