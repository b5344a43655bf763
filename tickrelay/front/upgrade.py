"""What WebSocket asks of a request's head (RFC 6455, 4.2.1). Pure."""

import re

from tickrelay.front.head import Fault, Head

_KEY = re.compile(r"[+/0-9A-Za-z]{22}==")


def asks_for_websocket(head: Head) -> bool:
    """Whether the request asks to upgrade to WebSocket. One of HTTP/1.0 cannot (RFC 9110, 7.8)."""
    return head.is_1_1 and "websocket" in head.items("upgrade")


def upgrade_fault(head: Head) -> Fault | None:
    """What is wrong with a request that asks for WebSocket, or None.

    Checked here and not by Autobahn, whose answers repeat what the client sent.
    """
    if head.method != "GET":
        return Fault(405, "a WebSocket handshake is a GET request", (("Allow", "GET"),))
    if "upgrade" not in head.items("connection"):
        return Fault(400, "the Connection field must name upgrade")
    if head.fields.get("sec-websocket-version") != "13":
        return Fault(426, "the version of WebSocket must be 13", (("Sec-WebSocket-Version", "13"),))
    if _KEY.fullmatch(head.fields.get("sec-websocket-key", "")) is None:
        return Fault(400, "the Sec-WebSocket-Key field must be 16 bytes in base64")
    return None
