"""What every page has, on either port."""

import pytest

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent

from tickrelay.web.page import IDLE_S, TEXT, site_of


def ask(request: bytes, reactor: MemoryReactorClock | None = None) -> tuple[bytes, bytes, StringTransport]:
    """Head and body of the answer to *request*, and the transport."""
    site = site_of({b"page": lambda _: (200, TEXT, b"text\n")}, reactor or MemoryReactorClock())
    site.doStart()
    channel = site.buildProtocol(None)
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(request)
    head, _, body = transport.value().partition(b"\r\n\r\n")
    return head, body, transport


def request(method: bytes, path: bytes = b"/page") -> bytes:
    """A request of HTTP/1.1."""
    return method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def test_get_and_head() -> None:
    """HEAD has the same head, and no body."""
    head, body, _ = ask(request(b"GET"))
    assert head.startswith(b"HTTP/1.1 200 OK") and body == b"text\n"
    bodyless, body, _ = ask(request(b"HEAD"))
    assert body == b""
    assert b"content-length: 5" in bodyless.lower() and b"content-length: 5" in head.lower()


@pytest.mark.parametrize("method", [b"POST", b"OPTIONS", b"DELETE", b"BREW", b"get"])
@pytest.mark.parametrize("path", [b"/page", b"/nothing"])
def test_other_methods_are_405(method: bytes, path: bytes) -> None:
    """With those that there are, and without a word of what was asked."""
    head, body, _ = ask(request(method, path))
    assert head.startswith(b"HTTP/1.1 405 Method Not Allowed")
    assert b"allow: GET, HEAD" in head.replace(b"Allow", b"allow")
    assert body == b"method not allowed\n"


def test_other_paths_are_404() -> None:
    """Whatever is below them."""
    for path in (b"/", b"/nothing", b"/nothing/more"):
        assert ask(request(b"GET", path))[0].startswith(b"HTTP/1.1 404 ")


def test_no_answer_names_the_server() -> None:
    """Nor its version."""
    for path in (b"/page", b"/nothing"):
        head, _, _ = ask(request(b"GET", path))
        assert b"server:" not in head.lower() and b"twisted" not in head.lower()


def test_a_silent_connection_is_closed_without_a_log_line(logged: list[LogEvent]) -> None:
    """Each browser leaves some; where the close takes too long, the connection is aborted."""
    reactor = MemoryReactorClock()
    _, _, transport = ask(request(b"GET"), reactor)
    reactor.advance(IDLE_S + 1)
    assert transport.disconnecting
    reactor.advance(20)
    assert transport.disconnected or transport.disconnecting
    assert logged == []
