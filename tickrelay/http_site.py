"""HTTP answers: twisted.web's Site, quiet and without the name of a product; and an answer that ends a connection."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site


def last_answer(status: int, text: str = "", fields: Iterable[tuple[str, str]] = ()) -> bytes:
    """A whole answer in plain text (by default the status' own), after which the connection is closed."""
    phrase = HTTPStatus(status).phrase
    body = f"{text or phrase}\n".encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return (
        f"HTTP/1.1 {status} {phrase}\r\n{head}Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


class AnonymousRequest(Request):
    """A request whose answer does not tell which server in which version made it."""

    def render(self, resrc: IResource) -> None:
        """Called when the resource was found; the field was set just before."""
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)


class QuietChannel(HTTPChannel):
    """A connection of HTTP/1.1 without a log line for each client that says nothing more, as browsers all do."""

    transport: Any

    def timeoutConnection(self) -> None:
        """Close, and abort where that takes too long."""
        self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        self.loseConnection()

    def forceAbortClient(self) -> None:
        """The client did not read what it was sent."""
        self._abortingCall = None
        self.transport.abortConnection()


class UnloggedSite(Site):
    """A web site without an access log: probes and scrapes come every few seconds and would drown all else.

    `HTTPFactory` dates its access log by ``reactor.seconds()``, which `tickrelay.startup.steady` makes monotonic, so
    its lines would be dated 1970 (Twisted 26.10). The ``Date`` header is not concerned: it comes from the wall clock.
    """

    noisy = False
    protocol: Any = QuietChannel
    requestFactory = AnonymousRequest

    def startFactory(self) -> None:
        """Open no access log, and start no timer for its dates."""
