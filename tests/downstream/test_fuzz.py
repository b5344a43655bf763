"""Requests of all kinds: always a typed answer or a documented close, and never an effect on another client."""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.frames import frame
from tests.support.view import View
from tickrelay.wire import requests
from tickrelay.wire.messages import AnyMessage, TickMessage
from tickrelay.wire.tickrelay_pb2 import ClientMessage

SCHEMA = json.loads((Path(__file__).parent.parent.parent / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
TOLD = {str(kind.__struct_config__.tag) for kind in (*AnyMessage.__args__, TickMessage)}
DOCUMENTED = {int(code) for code in re.findall(
    r"^(\d{4}) [A-Z]", (Path(__file__).parent.parent.parent / "docs" / "protocol.rst").read_text(encoding="utf-8"), re.M
)}  # fmt: skip

NAMES = st.sampled_from(
    ["EURUSD", "EURUSD", "EURUSD", "XAUUSD", "XAU*", "OLD", "eur/usd", "*", "X*", "", "nö", "E" * 101, "FOO", "\x00"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | NAMES, inner, max_size=3),
    max_leaves=6,
)


def by_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of the document allows."""
    if "$ref" in schema:
        return by_schema(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of([by_schema(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            fields = {name: by_schema(value) for name, value in schema["properties"].items()}
            needed = {name: fields.pop(name) for name in schema["required"]}
            return st.fixed_dictionaries(needed, optional=fields)
        case "object":
            return st.dictionaries(NAMES, by_schema(schema["additionalProperties"]), max_size=3)
        case "array":
            return st.lists(by_schema(schema["items"]), max_size=4)
        case "string":
            return (
                NAMES | NAMES | st.text(max_size=schema.get("maxLength", 20)) | st.sampled_from(["gap", "e1", "notice"])
            )
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum")) | st.integers(0, 3)
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False)
    return ANY


KINDS = [kind.__name__ for kind in requests.ALL]
ALLOWED = st.one_of([by_schema(SCHEMA["components"]["schemas"][name]) for name in KINDS])
TWISTED = st.tuples(
    ALLOWED, st.dictionaries(st.sampled_from(["type", "id", "symbols", "maxRate", "resume", "x"]), ANY)
).map(lambda pair: pair[0] | pair[1])
TEXT = st.one_of(ALLOWED, ALLOWED, TWISTED, ANY).map(lambda value: json.dumps(value).encode())
BROKEN = st.tuples(TEXT, st.integers(0, 60), st.binary(max_size=3)).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
)


def protobuf_request(value: dict[str, Any]) -> bytes:
    """A binary request with the fields of a JSON one, as far as it has them."""
    envelope = ClientMessage()
    try:
        part = getattr(envelope, re.sub("([A-Z])", lambda m: "_" + m[1].lower(), value["type"]))
        part.SetInParent()
        for name, given_value in value.items():
            field = re.sub("([A-Z])", lambda m: "_" + m[1].lower(), name)
            if isinstance(given_value, list):
                getattr(part, field).extend(given_value)
            elif field in part.DESCRIPTOR.fields_by_name and not isinstance(given_value, dict):
                setattr(part, field, given_value)
    except (TypeError, ValueError, AttributeError):
        pass
    return envelope.SerializePartialToString()


BINARY = st.one_of(ALLOWED.map(protobuf_request), ALLOWED.map(protobuf_request), st.binary(max_size=60))
FRAMES = st.lists(
    st.one_of(st.tuples(st.just(1), TEXT | BROKEN), st.tuples(st.just(2), BINARY | TEXT), st.just((0, b""))), max_size=8
)
OFFERS = st.sampled_from(
    [(), (b"Sec-WebSocket-Protocol: tickrelay.v1.json",), (b"Sec-WebSocket-Protocol: tickrelay.v1.protobuf",)]
)


def hear(client: Browser, view: View) -> list[dict[str, Any]]:
    """The messages that came; asserts that a close has a documented code."""
    heard = []
    for opcode, payload in client.frames():
        if opcode == 8:
            assert int.from_bytes(payload[:2], "big") in DOCUMENTED
        elif opcode in (1, 2):
            heard.append(view.read(payload, opcode == 2))
    return heard


@given(OFFERS, FRAMES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
def test_whatever_is_asked_is_answered(offer: tuple[bytes, ...], frames: list[tuple[int, bytes]]) -> None:
    """One typed answer a request or a documented close; the neighbour's ticks and answers are as ever."""
    server = Server(Clock())
    server.go_live()
    client, view, neighbour = server.browser(*offer), View(), server.browser()
    neighbour.ask({"type": "subscribe", "symbols": ["EURUSD"]})
    seen = 0
    for opcode, payload in frames:
        if not opcode:
            server.spot(1, 108_567, 108_570)
            seen += 1
            hear(client, view)
            continue
        client.protocol.dataReceived(frame(payload, opcode))
        said = [message for message in hear(client, view) if message["type"] != "tick"]
        assert {message["type"] for message in said} <= TOLD
        assert len(said) == 1 or client.protocol.session is None
    server.spot(1, 108_568, 108_571)
    assert [m["type"] for m in neighbour.hear()] == ["tick"] * (seen + 1)
    assert neighbour.ask({"type": "ping"})["type"] == "pong"
    client.vanish()
    neighbour.vanish()
    assert server.feed.wanted == [] and len(server.factory) == 0
