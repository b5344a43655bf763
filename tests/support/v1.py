"""What the tests of v1 share: subprotocol headers, requests in either encoding, a way to subscribe, a check of seq."""

import json
from typing import Any

from tests.support.browser import Browser
from tests.support.frames import frame
from tickrelay.wire import protobuf
from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.tickrelay_pb2 import ClientMessage

JSON = b"Sec-WebSocket-Protocol: tickrelay.v1.json"
PROTOBUF = b"Sec-WebSocket-Protocol: tickrelay.v1.protobuf"
ANSWERS = {"status", "subscribeResponse", "unsubscribeResponse", "configureResponse"}
FIELDS = {field.json_name: field.name for field in ClientMessage.DESCRIPTOR.fields}
PARSE = make_encodings("").v1_json.parse


def request_frame(offer: Any, request: dict[str, Any]) -> bytes:
    """A request in the encoding of *offer*."""
    payload = json.dumps(request).encode()
    if offer is JSON:
        return frame(payload)
    parsed = PARSE(payload, False)
    envelope = ClientMessage()
    protobuf.set_mark(envelope, parsed.id)
    protobuf.fill(parsed, getattr(envelope, FIELDS[request["type"]]))
    return frame(envelope.SerializeToString(), opcode=2)


def last_seq(ticks: list[dict[str, Any]], seq: int = 0) -> int:
    """The seq of the last of *ticks*, each of which must follow the one before, the first *seq*.

    A tick may count others that were conflated into it.
    """
    for tick in ticks:
        assert tick["seq"] == seq + 1 + tick.get("conflated", 0)
        seq = tick["seq"]
    return seq


def results(client: Browser, **request: Any) -> list[dict[str, Any]]:
    """Subscribe, and take the results; what else came stays away."""
    client.say({"type": "subscribe", **request})
    answer = client.hear()[0]
    assert answer["type"] == "subscribeResponse"
    found: list[dict[str, Any]] = answer["results"]
    return found
