"""What the tests of v1 share: the offers of a client, and a short way to subscribe."""

from typing import Any

from tests.support.browser import Browser

JSON = b"Sec-WebSocket-Protocol: tickrelay.v1.json"
PROTOBUF = b"Sec-WebSocket-Protocol: tickrelay.v1.protobuf"


def results(client: Browser, **request: Any) -> list[dict[str, Any]]:
    """Subscribe, and take the results; what else came stays away."""
    client.say({"type": "subscribe", **request})
    answer = client.hear()[0]
    assert answer["type"] == "subscribeResponse"
    found: list[dict[str, Any]] = answer["results"]
    return found
