"""A page as a function, and a site of such pages."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request

from tickrelay.http_site import UnloggedSite

IDLE_S = 30.0
"""Without a further request a connection is closed after so long."""

TEXT = "text/plain; charset=utf-8"

Answer = tuple[int, str, bytes]
"""Status, content type and body."""


class Page(Resource):
    """A page made by a function, for GET and HEAD."""

    def __init__(self, make: Callable[[Request], Answer]) -> None:
        super().__init__()
        self._make = make

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Below a page there is none; a slash at its end changes nothing."""
        return self if not path else Page(not_found)

    def render(self, request: Request) -> bytes:
        """Make the page; twisted.web's own answer to other methods repeats what the client sent."""
        status, content_type, body = self._make(request)
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("allow", "GET, HEAD")
            status, content_type, body = 405, TEXT, b"method not allowed\n"
        request.setResponseCode(status, HTTPStatus(status).phrase.encode())  # twisted.web (26.10) has none for 426
        request.setHeader("content-type", content_type)
        request.setHeader("cache-control", "no-store")
        request.setHeader("content-length", str(len(body)))
        return b"" if request.method == b"HEAD" else body


def not_found(_: Request) -> Answer:
    """There is no such page."""
    return 404, TEXT, b"not found\n"


def site_of(pages: Mapping[bytes, Callable[[Request], Answer]], reactor: Any = None) -> UnloggedSite:
    """A site; *pages* by their paths without the first slash. *reactor*: of its timers; None: the global one."""
    root = Page(not_found)
    for path, make in pages.items():
        root.putChild(path, Page(make))
    return UnloggedSite(root, timeout=int(IDLE_S), reactor=reactor)


def health(_: Request) -> Answer:
    """The process answers."""
    return 200, TEXT, b"ok\n"
