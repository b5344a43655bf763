"""``/healthz``, ``/readyz`` and ``/metrics`` on the operators' port."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tickrelay.errors import SettingError
from tickrelay.metrics import Metric, exposition

IDLE_S = 30.0


class _Root(Resource):
    """The pages by their paths, and a plain word for every other."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """No such page."""
        return _Page(lambda: (404, "text/plain; charset=utf-8", b"not found\n"))


class _Page(Resource):
    """A page made by a function: its status, content type and body."""

    isLeaf = True

    def __init__(self, make: Callable[[], tuple[int, str, bytes]]) -> None:
        super().__init__()
        self._make = make

    def render_GET(self, request: Request) -> bytes:
        """Make the page."""
        status, content_type, body = self._make()
        request.setResponseCode(status)
        request.setHeader("content-type", content_type)
        request.setHeader("cache-control", "no-store")
        return body


def site(metrics: Sequence[Metric], readiness: Callable[[], tuple[bool, dict[str, object]]]) -> Site:
    """The operators' pages. *readiness* says whether clients are served, and details for people."""

    def health() -> tuple[int, str, bytes]:
        return 200, "text/plain; charset=utf-8", b"ok\n"

    def ready() -> tuple[int, str, bytes]:
        is_ready, details = readiness()
        return 200 if is_ready else 503, "application/json", json.dumps(details).encode() + b"\n"

    def figures() -> tuple[int, str, bytes]:
        return 200, "text/plain; version=0.0.4; charset=utf-8", exposition(metrics)

    root = _Root()
    for path, make in ((b"healthz", health), (b"readyz", ready), (b"metrics", figures)):
        root.putChild(path, _Page(make))
    pages = Site(root, timeout=int(IDLE_S))
    pages.noisy = False
    return pages


class WebService(Service):
    """Listens for operators at *description*, a Twisted endpoint; nothing listens where it is empty."""

    _log = Logger()

    def __init__(self, pages: Site, description: str, reactor: Any) -> None:
        self._pages = pages
        self._description = description
        self._reactor = reactor
        self._port: IListeningPort | None = None

    def listen(self) -> None:
        """Bind the port. Raises SettingError where that cannot be done."""
        if not self._description:
            return
        try:
            endpoint = serverFromString(self._reactor, self._description)
        except (ValueError, KeyError, IndexError, TypeError) as e:
            raise SettingError(f"TICKRELAY_ADMIN: {self._description!r} is no endpoint: {e}") from None
        failures: list[Failure] = []
        bound: Deferred[IListeningPort] = endpoint.listen(self._pages)
        bound.addCallbacks(self._bound, failures.append)
        if failures:
            raise SettingError(
                f"TICKRELAY_ADMIN: cannot listen on {self._description}: {failures[0].getErrorMessage()}"
            )

    def _bound(self, port: IListeningPort) -> None:
        self._port = port
        self._log.info("operators' pages at {address}", address=port.getHost())

    def stopService(self) -> "Deferred[Any]":
        """Stop listening."""
        super().stopService()
        port, self._port = self._port, None
        return succeed(None) if port is None else port.stopListening() or succeed(None)
