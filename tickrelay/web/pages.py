"""``/healthz``, ``/readyz`` and ``/metrics`` on the operators' port."""

import json
from collections.abc import Callable, Sequence

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tickrelay.http_site import UnloggedSite
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
    return UnloggedSite(root, timeout=int(IDLE_S))
