"""The opening request of a WebSocket connection: is its head sound, and what does it ask for?"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tickrelay.downstream.refusals import Refusal
from tickrelay.downstream.tokens import SUBPROTOCOL_PREFIX
from tickrelay.wire.encodings import Encoding, Encodings

MAX_HEAD_BYTES = 16_384

MAX_ECHO_CHARACTERS = 32
"""Of an unknown subprotocol: a longer one may be a token whose prefix is misspelt."""

MAX_LOGGED_CHARACTERS = 100
"""Of an origin."""

# What splits lines for str.splitlines but not for HTTP would smuggle headers past a proxy: no head needs any of it.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]|\r(?!\n)|(?<!\r)\n")


def head_fault(data: bytes) -> tuple[str, int] | None:
    """What is wrong with the request's head, as far as it was received: a message and an HTTP status; None: nothing."""
    end = data.find(b"\r\n\r\n")
    if (end if end >= 0 else len(data)) > MAX_HEAD_BYTES:
        return "Request header fields too large", 431
    if end >= 0 and _FORBIDDEN.search(data, 0, end):
        return "Bad request header", 400
    return None


class Opening(NamedTuple):
    """What becomes of the request."""

    encoding: Encoding
    subprotocol: str | None
    """For the answer's ``Sec-WebSocket-Protocol``."""
    refusal: tuple[Refusal, str, str] | None
    """Why the connection is closed as soon as it is open: with the reason for the client, and details for the log."""


def origin_refusal(origin: str) -> tuple[Refusal, str, str]:
    """The refusal of a page whose origin is not in the list."""
    return Refusal.ORIGIN, "origin not allowed", f"origin {origin[:MAX_LOGGED_CHARACTERS]}"


def choose(offers: Sequence[str], encodings: Encodings, refusal: tuple[Refusal, str, str] | None) -> Opening:
    """Choose an encoding by the subprotocols that the client *offers*; *refusal* is what stands against it already.

    A browser shows its page no answer but 101, so that every refusal waits for the open connection. It also fails a
    connection whose answer takes up none of the subprotocols that the page offered (WHATWG, WebSockets, "establish a
    WebSocket connection"). So one of the client's is named even where the relay knows none: the close code follows.
    """
    names = [name for name in offers if name and not name.startswith(SUBPROTOCOL_PREFIX)]
    known = next(filter(None, map(encodings.by_subprotocol, names)), None)
    if known is not None:
        return Opening(known, known.subprotocol, refusal)
    if names and refusal is None:
        expected = " or ".join(encoding.subprotocol for encoding in encodings if encoding.subprotocol)
        refusal = Refusal.PROTOCOL, f"subprotocol: expected {expected}", "unknown subprotocol"
    echo = next((name for name in names if len(name) <= MAX_ECHO_CHARACTERS), None)
    return Opening(encodings.basic, echo, refusal)
