"""``/healthz``, ``/readyz`` and ``/metrics`` on the operators' port."""

import json
from collections.abc import Callable

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tickrelay.http_site import UnloggedSite

IDLE_S = 30.0


class _Root(Resource):
    """The pages by their paths, and status 404 for every other."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """No such page."""
        return _Page(lambda: (404, "text/plain; charset=utf-8", b"not found\n"))


class _Page(Resource):
    """A page made by a function that returns status, content type and body."""

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


def site(metrics: Callable[[], bytes], readiness: Callable[[], tuple[bool, dict[str, object]]]) -> Site:
    """The operators' pages.

    *metrics* returns the metrics in Prometheus' text format 0.0.4, *readiness* whether clients are served, with
    details that are shown as JSON.
    """

    def health() -> tuple[int, str, bytes]:
        return 200, "text/plain; charset=utf-8", b"ok\n"

    def ready() -> tuple[int, str, bytes]:
        is_ready, details = readiness()
        return 200 if is_ready else 503, "application/json", json.dumps(details).encode() + b"\n"

    def current_metrics() -> tuple[int, str, bytes]:
        return 200, "text/plain; version=0.0.4; charset=utf-8", metrics()

    root = _Root()
    for path, make in ((b"healthz", health), (b"readyz", ready), (b"metrics", current_metrics)):
        root.putChild(path, _Page(make))
    return UnloggedSite(root, timeout=int(IDLE_S))
