"""What a WebSocket handshake must have."""

import pytest

from tests.front.test_head import request
from tickrelay.front.head import Head, parse
from tickrelay.front.upgrade import asks_for_websocket, upgrade_fault

FIELDS = {
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
}


def head(first: bytes = b"GET / HTTP/1.1", **changed: bytes | None) -> Head:
    """A handshake with changed fields; None: left out."""
    fields = {**FIELDS, **{name.replace("_", "-").encode(): value for name, value in changed.items()}}
    found = parse(request(*[name + b": " + value for name, value in fields.items() if value is not None], first=first))
    assert isinstance(found, Head)
    return found


@pytest.mark.parametrize("changed", [{}, {"Upgrade": b"foo, WebSocket"}, {"Connection": b"keep-alive, upgrade"}])
def test_a_handshake_is_sound(changed: dict[str, bytes]) -> None:
    """In any case, and among others, as Firefox and proxies write it."""
    assert asks_for_websocket(head(**changed))
    assert upgrade_fault(head(**changed)) is None


@pytest.mark.parametrize(
    "other", [{"Upgrade": None}, {"Upgrade": b"h2c"}, {"Upgrade": b"websockets"}, {"first": b"GET / HTTP/1.0"}]
)
def test_what_asks_for_no_websocket_is_for_the_pages(other: dict[str, bytes]) -> None:
    """HTTP/1.0 cannot upgrade (RFC 9110, 7.8): so a proxy asks that was not told to use HTTP/1.1."""
    assert not asks_for_websocket(head(**other))


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"first": b"POST / HTTP/1.1"}, 405),
        ({"Connection": None}, 400),
        ({"Connection": b"keep-alive"}, 400),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec_WebSocket_Version": b"8"}, 426),
        ({"Sec_WebSocket_Version": b"13, 8"}, 426),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": b"short=="}, 400),
        ({"Sec_WebSocket_Key": b"dGhlIHNhbXBsZSBub25jZQ= "}, 400),
        ({"Sec_WebSocket_Key": b"dGhlIHNhbXBsZSBub2-jZQ=="}, 400),
    ],
)
def test_what_is_wrong_with_a_handshake_has_a_status(changed: dict[str, bytes], status: int) -> None:
    """And where RFC 9110 or 6455 asks for it the field that says what would be right."""
    fault = upgrade_fault(head(**changed))
    assert fault is not None and fault.status == status
    assert fault.fields == {405: (("Allow", "GET"),), 426: (("Sec-WebSocket-Version", "13"),)}.get(status, ())
