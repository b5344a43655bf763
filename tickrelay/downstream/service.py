"""The client side as a Twisted service."""

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tickrelay.downstream.factory import ClientFactory


class ClientService(Service):
    """Has the listening port, runs the factory's periodic work, and closes all clients when it stops."""

    _log = Logger()

    def __init__(self, factory: ClientFactory) -> None:
        self.port: IListeningPort | None = None
        """Set by `tickrelay.service` once it is bound."""
        self._factory = factory

    def url(self, scheme: str) -> str:
        """The URL for clients on this machine; *scheme*: ``ws`` or ``wss``. The port must be bound."""
        assert self.port is not None
        address = self.port.getHost()
        host, port = getattr(address, "host", "localhost"), getattr(address, "port", "")
        return f"{scheme}://{'localhost' if host in ('0.0.0.0', '::') else host}:{port}/"

    def startService(self) -> None:
        """Start the periodic work."""
        super().startService()
        self._factory.jobs.start()

    def stopService(self) -> Deferred[None]:
        """Stop listening, and close every client with a close frame; fires when the last is gone."""
        super().stopService()
        self._factory.jobs.stop()
        if self.port is not None:
            maybeDeferred(self.port.stopListening).addErrback(lambda f: self._log.failure("still listening", f))
        return self._factory.drain()

    def hurry(self) -> None:
        """Close every client that is left at once."""
        self._factory.hurry()
