"""The pages of the clients' port."""

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server


def get(server: Server, path: bytes, *lines: bytes, method: bytes = b"GET") -> tuple[bytes, bytes]:
    """Head and body of the answer, through the clients' port."""
    browser = Browser(server)
    browser.protocol.dataReceived(b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: x", *lines, b"", b""]))
    head, _, body = browser.transport.value().partition(b"\r\n\r\n")
    return head, body


def test_health(clock: Clock) -> None:
    """The process answers, to a page of any origin too."""
    server = Server(clock, allowed_origins=("https://app.example.com",))
    for line in (b"X: y", b"Origin: https://evil.example"):
        head, body = get(server, b"/healthz", line)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == b"ok\n"
    assert get(server, b"/healthz", method=b"HEAD")[1] == b""


def test_the_root_says_how_to_upgrade(clock: Clock) -> None:
    """With the fields of RFC 9110, 7.8, and 15.5.22; the connection is closed."""
    head, body = get(Server(clock), b"/")
    assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    fields = head.lower().split(b"\r\n")
    assert {b"upgrade: websocket", b"connection: upgrade", b"connection: close"} <= set(fields)
    assert b"WebSocket" in body


def test_the_root_refuses_a_page_of_another_origin(clock: Clock) -> None:
    """And counts it; one without an origin, or of the list, is told how to upgrade."""
    server = Server(clock, allowed_origins=("https://app.example.com",))
    head, body = get(server, b"/", b"Origin: https://evil.example")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert body == b"origin not allowed\n"
    assert server.factory.refusals.counts["origin"] == 1
    assert get(server, b"/", b"Origin: https://app.example.com")[0].startswith(b"HTTP/1.1 426 ")
    assert server.factory.refusals.counts["origin"] == 1


def test_there_is_nothing_else(clock: Clock) -> None:
    """The operators' pages least of all."""
    for path in (b"/metrics", b"/readyz", b"/healthz/more", b"/%2e%2e/etc/passwd"):
        assert get(Server(clock), path)[0].startswith(b"HTTP/1.1 404 ")
