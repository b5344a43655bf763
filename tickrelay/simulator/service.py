"""The simulator as a Twisted Service: binds its ports with TLS, logs where, and closes its connections at the end."""

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tickrelay.config.settings import CTraderSettings
from tickrelay.http_site import UnloggedSite
from tickrelay.model.errors import SettingError
from tickrelay.simulator.broker import Recording, SimulatedBroker
from tickrelay.simulator.certificates import ServerCertificate, make_certificate
from tickrelay.simulator.faults.control import Control
from tickrelay.simulator.faults.faults import Faults
from tickrelay.simulator.framing.protocol_switch import ProtocolSwitchFactory
from tickrelay.simulator.settings import SimulatorSettings


def _number(port: IListeningPort | None) -> int:
    return 0 if port is None else int(port.getHost().port)  # type: ignore[attr-defined]


class SimulatorService(Service):
    """A cTrader server on a TLS port. *now* gives Unix seconds; by default the system does. A *recording* is played
    instead of the random market.
    """

    _log = Logger()

    def __init__(
        self,
        settings: SimulatorSettings,
        reactor: Any,
        now: Callable[[], float] = time.time,
        recording: Recording | None = None,
    ) -> None:
        self.settings = settings
        self._reactor = reactor
        self._now = now
        self._recording = recording
        self._certificate: ServerCertificate | None = None
        self._ports: list[IListeningPort] = []
        self._json_port: IListeningPort | None = None
        self._control_port: IListeningPort | None = None
        self._own_ca_file: Path | None = None
        self.ca_file = settings.ca_file
        """PEM file with the authority that a client must trust."""
        self.broker: SimulatedBroker | None = None
        self.faults: Faults | None = None

    @property
    def port(self) -> int:
        """The port that is bound (0 before)."""
        return _number(self._ports[0] if self._ports else None)

    @property
    def control_port(self) -> int:
        """The port of the control endpoint (0: there is none)."""
        return _number(self._control_port)

    @property
    def json_port(self) -> int:
        """The port of the JSON encoding (0: there is none)."""
        return _number(self._json_port)

    @property
    def ca_pem(self) -> bytes:
        """The authority that a client must trust."""
        if self._certificate is None:
            self._certificate = make_certificate(
                self.settings.certificate_names, self._now(), self.settings.certificate_expired
            )
        return self._certificate.authority_pem

    def listen(self) -> None:
        """Write the CA file and bind the port; again: no effect. Raises SettingError."""
        if self._ports:
            return
        self._write_ca()
        assert self._certificate is not None
        self.broker = SimulatedBroker(self.settings, self._now, self._recording)
        self.faults = Faults(self.broker, self._reactor)
        self._ports.append(self._bind("port", self.settings.port, ProtocolSwitchFactory(self.broker, self._reactor)))
        if self.settings.json_port is not None:
            factory = ProtocolSwitchFactory(self.broker, self._reactor, json=True)
            self._json_port = self._bind("json-port", self.settings.json_port, factory)
            self._ports.append(self._json_port)
        if self.settings.control_port is not None:
            self._control_port = self._listen_control(self.settings.control_port)
            self._ports.append(self._control_port)
        self.faults.run(self.settings.faults)
        self._announce()

    def privilegedStartService(self) -> None:
        """Bind before privileges are dropped."""
        self.listen()
        super().privilegedStartService()

    def startService(self) -> None:
        """Start; binds here where `listen` was not called before."""
        self.listen()
        super().startService()

    def stopService(self) -> "Deferred[Any]":
        """Stop listening and close every connection in order. Fires when the ports are closed."""
        super().stopService()
        ports, self._ports = self._ports, []
        if self.broker is not None:
            self.broker.stop()
        if self.faults is not None:
            self.faults.clear()
        if self._recording is not None:
            self._recording.close()
        if self.broker is not None:
            for session in list(self.broker.sessions.values()):
                session.close()
        if self._own_ca_file is not None:
            self._own_ca_file.unlink(missing_ok=True)
            self._own_ca_file = None
        return DeferredList([maybeDeferred(port.stopListening) for port in ports], consumeErrors=True)

    def join(self, settings: CTraderSettings) -> CTraderSettings:
        """*settings* with this simulator's host, port and certificate authority. Call after `listen`."""
        if not self.ca_file:
            handle, path = tempfile.mkstemp(prefix="ctrader-simulator-", suffix=".pem")
            with os.fdopen(handle, "wb") as file:
                file.write(self.ca_pem)
            self.ca_file, self._own_ca_file = path, Path(path)
        return dataclasses.replace(settings, host="localhost", port=self.port, ca_file=self.ca_file)

    def _write_ca(self) -> None:
        pem = self.ca_pem
        if self.settings.ca_file:
            try:
                Path(self.settings.ca_file).write_bytes(pem)
            except OSError as e:
                raise SettingError(f"--ca-file: cannot write {self.settings.ca_file}: {e.strerror}") from None

    def _bind(self, name: str, port: int, factory: ProtocolSwitchFactory) -> IListeningPort:
        assert self._certificate is not None
        try:
            bound: IListeningPort = self._reactor.listenSSL(
                port, factory, self._certificate.options, interface=self.settings.host
            )
        except CannotListenError as e:
            raise SettingError(
                f"--{name}: cannot listen on {self.settings.host}:{port}: {e.socketError.strerror}; "
                f"choose another with --{name}, or another address with --host"
            ) from None
        return bound

    def _listen_control(self, port: int) -> IListeningPort:
        """Bind the control endpoint: on the loopback interface, whatever ``--host`` is."""
        assert self.broker is not None and self.faults is not None
        site = UnloggedSite(Control(self.broker, self.faults))
        try:
            bound: IListeningPort = self._reactor.listenTCP(port, site, interface="127.0.0.1")
        except CannotListenError as e:
            raise SettingError(f"--control: cannot listen on 127.0.0.1:{port}: {e.socketError.strerror}") from None
        self._log.info("control endpoint: http://127.0.0.1:{port}/faults", port=_number(bound))
        return bound

    def _announce(self) -> None:
        settings = self.settings
        self._log.info(
            "cTrader simulator on {host}:{port} (TLS); client id {client_id}, client secret {secret}, access token "
            "{token}, {environment} account {account}",
            host=settings.host,
            port=self.port,
            client_id=settings.client_id,
            secret=settings.client_secret,
            token=settings.access_token,
            environment=settings.environment,
            account=settings.served_account_id,
        )
        if self.json_port:
            self._log.info("JSON on {host}:{port} (TLS)", host=settings.host, port=self.json_port)
        if self.ca_file:
            self._log.info("trust its certificate authority: {ca_file}", ca_file=self.ca_file)
