"""What the tests of v1 share: the subprotocol headers, a short way to subscribe, and a check of seq."""

from typing import Any

from tests.support.browser import Browser

JSON = b"Sec-WebSocket-Protocol: tickrelay.v1.json"
PROTOBUF = b"Sec-WebSocket-Protocol: tickrelay.v1.protobuf"


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
