"""The operators' pages."""

import time
from email.utils import parsedate_to_datetime

import pytest

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent

from tickrelay.startup import steady
from tickrelay.web.pages import site


def ask(path: str, ready: bool = True) -> tuple[bytes, bytes]:
    """Head and body of a page, from a server that was started as in the relay."""
    pages = site(lambda: b"tickrelay_ticks_total 42.0\n", lambda: (ready, {"serving": ready}))
    pages.reactor = reactor = steady(MemoryReactorClock())
    pages.doStart()
    assert reactor.getDelayedCalls() == [], "nobody asks, nothing runs"
    protocol = pages.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(b"GET " + path.encode() + b" HTTP/1.0\r\n\r\n")
    head, _, body = transport.value().partition(b"\r\n\r\n")
    return head, body


def get(path: str, ready: bool = True) -> tuple[bytes, bytes]:
    """Status line and body of a page."""
    head, body = ask(path, ready)
    return head.split(b"\r\n")[0], body


def test_health() -> None:
    """Alive means that it answers."""
    assert get("/healthz") == (b"HTTP/1.0 200 OK", b"ok\n")


@pytest.mark.parametrize(("ready", "status"), [(True, b"200 OK"), (False, b"503 Service Unavailable")])
def test_readiness(ready: bool, status: bytes) -> None:
    """Ready means that clients are served."""
    line, body = get("/readyz", ready)
    assert line == b"HTTP/1.0 " + status
    assert body == (b'{"serving": true}\n' if ready else b'{"serving": false}\n')


def test_metrics() -> None:
    """The text of the function it was given, as Prometheus' text format."""
    head, body = ask("/metrics")
    assert body == b"tickrelay_ticks_total 42.0\n"
    assert b"content-type: text/plain; version=0.0.4; charset=utf-8" in head.lower()


def test_requests_are_not_logged(logged: list[LogEvent]) -> None:
    """A probe every few seconds must not fill the log."""
    ask("/healthz")
    ask("/nothing")
    assert logged == []


def test_the_date_is_the_wall_clocks() -> None:
    """The reactor's clock, which is monotonic, dates nothing."""
    head, _ = ask("/healthz")
    (date,) = (line[6:].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"date:"))
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 60


def test_nothing_else_is_there() -> None:
    """Any other page is not found."""
    assert get("/")[0] == b"HTTP/1.0 404 Not Found"
