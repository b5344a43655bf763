"""The WebSocket listener as a service."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tickrelay.clients.factory import ClientFactory
from tickrelay.errors import SettingError

SWEEP_S = 1.0


class ClientService(Service):
    """Listens for clients; looks for stuck ones; lets all of them go in order when it stops."""

    _log = Logger()

    def __init__(self, factory: ClientFactory, description: str, source: str, reactor: Any) -> None:
        self._factory = factory
        self._description = description
        self._source = source
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._sweep = LoopingCall(factory.each_second)
        self._sweep.clock = reactor

    def listen(self) -> None:
        """Bind the port, before anything connects anywhere. Raises SettingError where that cannot be done."""
        try:
            endpoint = serverFromString(self._reactor, self._description)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as e:
            raise SettingError(f"--listen (from {self._source}): {self._description!r} is no endpoint: {e}") from None
        failures: list[Exception] = []
        bound: Deferred[IListeningPort] = endpoint.listen(self._factory)
        bound.addCallbacks(self._bound, lambda failure: failures.append(failure.value))
        if failures:
            (error,) = failures
            if isinstance(error, CannotListenError):
                where = f"port {error.port}" if error.port else self._description
                raise SettingError(
                    f"cannot listen on {where} ({error.socketError}; set by {self._source}): "
                    "stop what uses it, or choose another with WS_PORT or --listen"
                )
            raise SettingError(f"cannot listen on {self._description} (set by {self._source}): {error}")

    def _bound(self, port: IListeningPort) -> None:
        self._port = port
        self._log.info("clients connect to {url} (set by {source})", url=self.url, source=self._source)

    @property
    def url(self) -> str:
        """Where clients on this machine connect."""
        assert self._port is not None
        address = self._port.getHost()
        scheme = "wss" if self._description.startswith(("ssl:", "tls:")) else "ws"
        host, port = getattr(address, "host", "localhost"), getattr(address, "port", "")
        return f"{scheme}://{'localhost' if host in ('0.0.0.0', '::') else host}:{port}/"

    def startService(self) -> None:
        """Begin to look for stuck clients."""
        super().startService()
        self._sweep.start(SWEEP_S, now=False).addErrback(lambda f: self._log.failure("the sweep ended", f))

    def stopService(self) -> Deferred[None]:
        """Stop listening, close every client with a proper close frame; fires when the last is gone."""
        super().stopService()
        if self._sweep.running:
            self._sweep.stop()
        if self._port is not None:
            self._port.stopListening()
        return self._factory.drain()
