"""Protocol v1 over a connection: negotiation, configuration, both encodings."""

import json
from typing import Any

import msgspec
import pytest

from tests.support.browser import LIVE, LOST, Browser, Server
from tests.support.frames import frame
from tests.support.v1 import JSON, PROTOBUF, results
from tests.support.view import View
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.wire import protobuf, requests
from tickrelay.wire.tickrelay_pb2 import ClientMessage

UNKNOWN = ["teleport", "time", "teleport"]


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [
        (b"tickrelay.v1.json", b"tickrelay.v1.json"),
        (b"tickrelay.v1.protobuf, tickrelay.v1.json", b"tickrelay.v1.protobuf"),
        (b"tickrelay.v2.json, tickrelay.v1.json", b"tickrelay.v1.json"),
        (b"tickrelay.auth.c2VjcmV0", None),
    ],
)
def test_a_subprotocol_is_chosen(server: Server, offer: bytes, chosen: bytes | None) -> None:
    """The first that the relay knows; a token is never echoed."""
    client = server.browser(b"Sec-WebSocket-Protocol: " + offer)
    assert b" 101 " in client.head
    lines = [line for line in client.head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-protocol")]
    assert lines == ([b"Sec-WebSocket-Protocol: " + chosen] if chosen else [])


def test_connect_tells_what_holds(client: Browser) -> None:
    """The status carries the id, the protocol, the feed, the features accepted and not known, and the limits."""
    assert client.ask({"type": "connect", "protocol": 1, "id": "c1", "features": ["gap", "heartbeat", *UNKNOWN]}) == {
        "type": "status",
        "status": "connected",
        "availableSymbols": ["EURUSD", "XAUUSD", "GBPUSD", "GBPJPY"],
        "id": "c1",
        "protocol": 1,
        "epoch": "e1",
        "feed": {"state": "live"},
        "features": ["heartbeat", "gap"],
        "unknownFeatures": ["teleport", "time"],
        "limits": {"maxSymbols": 200, "maxRate": 50, "messagesPerSecond": 20, "maxMessageBytes": 65536},
        "heartbeatMs": 15000,
    }


def test_a_basic_client_becomes_v1_by_its_connect(server: Server) -> None:
    """``"protocol":1`` without a subprotocol; what was subscribed before goes on, in v1."""
    client = server.browser()
    client.ask({"type": "subscribe", "symbols": ["EURUSD"]})
    server.spot(1, 108_567, 108_570)
    assert "seq" not in client.hear()[0]
    assert client.ask({"type": "connect", "protocol": 1})["protocol"] == 1
    server.spot(1, 108_568, 108_571)
    (tick,) = client.hear()
    assert (tick["epoch"], tick["seq"]) == ("e1", 2)


@pytest.mark.parametrize(
    ("lines", "version"),
    [((JSON,), 2), ((), 0), ((), 2), ((), -1), ((), 10**15)],
    ids=["v1", "0", "2", "-1", "10^15"],
)
def test_an_unknown_protocol_is_refused(server: Server, lines: tuple[bytes, ...], version: int) -> None:
    """With and without a subprotocol: v1's error and 4502, not a status of basic."""
    client = server.browser(*lines)
    client.say({"type": "connect", "protocol": version, "id": 1})
    (_, error), (opcode, close) = client.frames()
    assert json.loads(error) == {
        "type": "error",
        "id": 1,
        "code": "BAD_REQUEST",
        "message": "protocol: expected 1",
        "fatal": True,
    }
    assert (opcode, int.from_bytes(close[:2], "big")) == (8, 4502)


@pytest.mark.parametrize("lines", [(), (JSON,)], ids=["no subprotocol", "v1"])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"protocol": "1"}, "protocol: expected integer"),
        ({"protocol": True}, "protocol: expected integer"),
        ({"protocol": 1, "features": "gap"}, "features: expected array of strings"),
    ],
)
def test_a_malformed_connect_of_v1_is_an_error(
    server: Server, lines: tuple[bytes, ...], fields: dict[str, Any], message: str
) -> None:
    """The same error with and without the subprotocol; the connection stays open, and a basic client stays basic."""
    client = server.browser(*lines)
    expected = {"type": "error", "id": 5, "code": "BAD_REQUEST", "message": message, "fatal": False}
    assert client.ask({"type": "connect", "id": 5, **fields}) == expected
    assert ("protocol" in client.ask({"type": "connect"})) == bool(lines)


@pytest.mark.parametrize("fields", [{}, {"protocol": None}, {"id": 3, "features": ["gap"]}])
def test_a_connect_without_a_version_is_basics(server: Server, fields: dict[str, Any]) -> None:
    """Whatever else stands in it: only ``protocol`` asks for another protocol than basic; null is as if absent."""
    assert server.browser().ask({"type": "connect", **fields}).keys() == {"type", "status", "availableSymbols"}


def test_errors_carry_code_and_id(client: Browser) -> None:
    """A message that cannot be parsed is answered and the connection stays open."""
    client.say(
        {"type": "subscribe", "id": 8, "symbols": "EURUSD"}, {"type": "fly", "id": "f"}, {"type": "ping", "id": 3}
    )
    bad, unknown, pong = client.hear()
    assert bad == {
        "type": "error",
        "id": 8,
        "code": "BAD_REQUEST",
        "message": "symbols: expected array of strings",
        "fatal": False,
    }
    assert (unknown["code"], unknown["id"]) == ("UNKNOWN_TYPE", "f")
    assert (pong["type"], pong["id"]) == ("pong", 3)


def test_configure_changes_the_rate_and_pauses(client: Browser, server: Server) -> None:
    """What is left out stays; going on brings the newest tick of each symbol that moved."""
    results(client, symbols=["EURUSD", "GBPUSD"])
    assert client.ask({"type": "configure", "id": 1, "paused": True}) == {
        "type": "configureResponse", "id": 1, "maxRate": 0, "paused": True
    }  # fmt: skip
    for n in range(4):
        server.spot(1, 100_000 + n, 100_010 + n)
    assert client.hear() == []
    client.say({"type": "configure", "id": 2, "paused": False, "maxRate": 2})
    answer, *ticks = client.hear()
    assert (answer["paused"], answer["maxRate"]) == (False, 2)
    server.clock.advance(0.5)
    ticks += client.hear()
    assert [(tick["symbol"], tick["seq"], tick["conflated"]) for tick in ticks] == [("EURUSD", 4, 3)]
    assert results(client, symbols=["XAUUSD", "EURUSD"])[0]["maxRate"] == 2
    assert client.ask({"type": "configure"})["maxRate"] == 2


def test_status_changes_carry_the_feed_and_its_detail(client: Browser, server: Server) -> None:
    """The six values stay; what is finer stands beside them."""
    server.hub.status_changed(FeedStatus(Status.ERROR, FeedState.WAITING, "renew the token", "CH_ACCESS_TOKEN_INVALID"))
    (status,) = client.hear()
    assert (status["status"], status["message"], status["availableSymbols"]) == ("error", "renew the token", [])
    assert (status["feed"], status["detail"]) == ({"state": "waiting"}, {"upstream": "CH_ACCESS_TOKEN_INVALID"})
    server.hub.status_changed(LOST)
    server.hub.status_changed(LIVE)
    assert [m["status"] for m in client.hear()] == ["disconnected", "connected"]


def test_a_protobuf_client_sees_the_same(server: Server, client: Browser) -> None:
    """The same conversation in both encodings, message by message."""
    binary = server.browser(PROTOBUF)
    view = View()
    asked: list[requests.Request] = [
        requests.Connect(id="c", protocol=1, features=["gap", "teleport"]),
        requests.Subscribe(id=2, symbols=["eur/usd", "GBP*", "FOO"], snapshot=True),
        requests.Explain(id=3, symbol="EURUSD"),
        requests.GetSymbols(),
    ]
    fields = {f.json_name: f.name for f in ClientMessage.DESCRIPTOR.fields}
    for request in asked:
        envelope = ClientMessage()
        protobuf.set_mark(envelope, request.id)
        protobuf.fill(request, getattr(envelope, fields[requests.type_of(type(request))]))
        binary.protocol.dataReceived(frame(envelope.SerializeToString(), opcode=2))
    client.say(*(json.loads(msgspec.json.encode(request)) for request in asked))
    server.spot(1, 108_567, 108_570)
    server.hub.feed_lost("stale", ["EURUSD"])
    server.spot(1, 108_567, 108_571)
    texts = client.hear()
    seen = [view.read(payload, opcode == 2) for opcode, payload in binary.frames()]
    texts[2]["interest"] = seen[2]["interest"]  # the other client came later
    assert seen == texts
    assert [m["type"] for m in seen] == [
        "status", "subscribeResponse", "explanation", "symbols", "tick", "gap", "tick"
    ]  # fmt: skip
