"""The simulator on a real TLS port of the loopback interface."""

import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from google.protobuf.message import Message
from OpenSSL import SSL
from service_identity import VerificationError

from twisted.internet import reactor
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import ProtoOAVersionReq, ProtoOAVersionRes
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.integration


class Caller(frames.FrameReceiver):
    """Requests the version and keeps the answer."""

    def __init__(self) -> None:
        self.answer: Deferred[Message | None] = Deferred()
        self.lost: Deferred[object] = Deferred()

    def connectionMade(self) -> None:
        """Ask."""
        self.sendString(frames.encode(ProtoOAVersionReq(), "v"))

    def stringReceived(self, string: bytes) -> None:
        """The answer."""
        self.answer.callback(frames.open_payload(frames.open_envelope(string)))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end."""
        self.lost.callback(reason.value)


@implementer(IOpenSSLTrustRoot)
class OnlyThis:
    """Trusts the authority of a PEM file and no other."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.load_verify_locations(self._path)


def call(service: SimulatorService, host: str) -> Deferred[Caller]:
    """Connect with full verification, trusting the simulator's authority alone."""
    endpoint = wrapClientTLS(
        optionsForClientTLS(host, trustRoot=OnlyThis(service.ca_file)),
        HostnameEndpoint(reactor, "127.0.0.1", service.port),
    )
    return connectProtocol(endpoint, Caller())


def fetch(url: str) -> bytes:
    """The body of a web answer; blocks."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())


@pytest_twisted.async_yield_fixture
async def service(tmp_path: Path) -> AsyncIterator[SimulatorService]:
    """A simulator on a free port."""
    made = SimulatorService(SimulatorSettings(port=0, ca_file=str(tmp_path / "ca.pem")), reactor)
    made.startService()
    yield made
    await made.stopService()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "demo.ctraderapi.com"])
async def test_a_client_that_verifies_gets_in(service: SimulatorService, host: str) -> None:
    """The certificate is good for localhost, 127.0.0.1 and cTrader's own names."""
    caller = await call(service, host)
    assert isinstance(await caller.answer.addTimeout(5, reactor), ProtoOAVersionRes)
    caller.transport.loseConnection()  # type: ignore[union-attr]
    await caller.lost.addTimeout(5, reactor)


@pytest_twisted.ensureDeferred
async def test_another_name_is_refused_by_the_client(service: SimulatorService) -> None:
    """For a name that the certificate does not have, the handshake fails."""
    caller = await call(service, "example.org")
    reason = await caller.lost.addTimeout(5, reactor)
    assert isinstance(reason, (SSL.Error, VerificationError))
    assert not caller.answer.called


@pytest_twisted.ensureDeferred
async def test_an_expired_certificate_is_refused_by_the_client(tmp_path: Path) -> None:
    """The simulator presents one by a setting, to test clients with it."""
    settings = SimulatorSettings(port=0, ca_file=str(tmp_path / "ca.pem"), certificate_expired=True)
    service = SimulatorService(settings, reactor)
    service.startService()
    caller = await call(service, "localhost")
    reason = await caller.lost.addTimeout(5, reactor)
    assert "certificate verify failed" in str(reason)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_stopping_closes_the_connections(service: SimulatorService) -> None:
    """Every client gets an orderly close, and the port is free again."""
    caller = await call(service, "localhost")
    await caller.answer.addTimeout(5, reactor)
    await service.stopService()
    await caller.lost.addTimeout(5, reactor)
    assert service.port == 0


@pytest_twisted.ensureDeferred
async def test_the_authority_is_written_on_request(tmp_path: Path) -> None:
    """--ca-file: a PEM file that clients can be pointed at."""
    path = tmp_path / "ca.pem"
    service = SimulatorService(SimulatorSettings(port=0, ca_file=str(path)), reactor)
    service.startService()
    assert path.read_bytes() == service.ca_pem
    await service.stopService()


def test_a_taken_port_is_one_clear_error(service: SimulatorService) -> None:
    """It names the port and the flag."""
    with pytest.raises(SettingError, match=f"--port: cannot listen on 127.0.0.1:{service.port}"):
        SimulatorService(SimulatorSettings(port=service.port), reactor).listen()


def test_a_ca_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """It names the file."""
    settings = SimulatorSettings(port=0, ca_file=str(tmp_path / "none" / "ca.pem"))
    with pytest.raises(SettingError, match="--ca-file: cannot write"):
        SimulatorService(settings, reactor).listen()


@pytest_twisted.ensureDeferred
async def test_faults_of_the_settings_and_of_the_control_endpoint(tmp_path: Path, logged: list[LogEvent]) -> None:
    """A script runs from the start; the endpoint listens on the loopback interface, and logs no requests."""
    settings = SimulatorSettings(port=0, control_port=0, faults="hang app-auth", ca_file=str(tmp_path / "ca.pem"))
    service = SimulatorService(settings, reactor)
    service.startService()
    url = f"http://127.0.0.1:{service.control_port}/faults"
    body = await deferToThread(fetch, url)
    assert b"hang app-auth" in body
    assert not [event for event in logged if "GET /faults" in (formatEvent(event) or "")]
    await service.stopService()
