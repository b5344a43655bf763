"""The opening request is answered as Autobahn answers it, though its head is not parsed a second time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import txaio
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.task import Clock

from tests.downstream.test_autobahn_adapter import connected
from tests.support.browser import KEY, Browser, Server
from tests.support.frames import frame
from tickrelay.downstream.opening import choose
from tickrelay.wire.encodings import make_encodings

ENCODINGS = make_encodings("e1")

words = st.sampled_from(["tickrelay.v1.json", "tickrelay.v1.protobuf", "chat", "", "a b", "tickrelay.auth.AAAA"])
origins = st.sampled_from(
    ["null", "file://", "https://a.example", "http://[::1]:80", "http://[::1", "x", "a://b:c", ""]
)
extensions = st.sampled_from(
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=99",
        'permessage-deflate; server_max_window_bits="10", x-other; a=1',
        "permessage-bzip2",
        "",
    ]
)
lines = st.fixed_dictionaries(
    {},
    optional={
        "Sec-WebSocket-Protocol": st.lists(words, max_size=4).map(", ".join),
        "Origin": origins,
        "Sec-WebSocket-Extensions": extensions,
        "Host": st.sampled_from(["localhost:9001", "[::1]:9001", "[::1]", "a.example"]),
        "User-Agent": st.text("abc;/() ", max_size=20),
    },
)


class Stock(WebSocketServerProtocol):
    """Autobahn's own, which chooses as ours does."""

    def onConnect(self, request: ConnectionRequest) -> Any:
        """Choose a subprotocol."""
        return choose(request.protocols, ENCODINGS, None).subprotocol


def stock_answer(head: bytes) -> bytes:
    """What Autobahn's own class answers to an opening request."""
    factory = WebSocketServerFactory(server="")
    factory.setProtocolOptions(allowedOrigins=["*"], allowNullOrigin=True, webStatus=False)
    factory.protocol = Stock
    protocol = connected(factory)
    protocol.dataReceived(head)
    return bytes(protocol.transport.value().partition(b"\r\n\r\n")[0])


@settings(deadline=None, max_examples=300)
@given(lines)
def test_the_answer_is_autobahns(fields: dict[str, str]) -> None:
    """Byte for byte where it opens; where it does not, with the same status."""
    clock = Clock()
    server = Server(clock)
    txaio.config.loop = clock
    fields = {"Host": "localhost:9001", **fields}
    head = "GET /path?a=1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    head += f"Sec-WebSocket-Key: {KEY.decode()}\r\n" + "".join(f"{name}: {fields[name]}\r\n" for name in fields)
    browser = Browser(server)
    browser.protocol.dataReceived(head.encode() + b"\r\n")
    ours, theirs = browser.transport.value().partition(b"\r\n\r\n")[0], stock_answer(head.encode() + b"\r\n")
    if theirs.startswith(b"HTTP/1.1 101 "):
        assert ours == theirs
    else:
        assert ours[:12] == theirs[:12]


def test_the_head_is_parsed_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the front; Autobahn's parser is not called. Frames that came with the head are read after the answer."""

    def parse(*args: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(WebSocketServerProtocol, "processHandshake", parse)
    browser = Browser(server)
    browser.request(tail=frame(b'{"type":"ping"}'))
    browser.opened()
    (pong,) = browser.hear()
    assert browser.head.startswith(b"HTTP/1.1 101 ") and pong["type"] == "pong"
