"""The opening request of a WebSocket connection: checks its head, and chooses encoding and subprotocol."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tickrelay.admission.refusals import Refusal
from tickrelay.downstream.tokens import SUBPROTOCOL_PREFIX
from tickrelay.wire.encodings import Encoding, Encodings

MAX_HEAD_BYTES = 16_384

MAX_ECHO_CHARACTERS = 32
"""Of an unknown subprotocol in the answer: a longer one may be a token whose prefix is misspelt."""

MAX_LOGGED_CHARACTERS = 100
"""Of an origin, in the log."""

# Autobahn (26.10) splits the head with str.splitlines, which also splits at VT, FF, FS to RS and NEL. A proxy does not:
# behind one, a client could smuggle header lines that the proxy has not checked. No sound head has any of these bytes.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]|\r(?!\n)|(?<!\r)\n")


def head_fault(data: bytes) -> tuple[str, int] | None:
    """What is wrong with the request's head, as far as it was received: reason and HTTP status; None: nothing."""
    end = data.find(b"\r\n\r\n")
    if (end if end >= 0 else len(data)) > MAX_HEAD_BYTES:
        return "Request header fields too large", 431
    if end >= 0 and _FORBIDDEN.search(data, 0, end):
        return "Bad request header", 400
    return None


class Opening(NamedTuple):
    """How the request is answered."""

    encoding: Encoding
    subprotocol: str | None
    """For the answer's ``Sec-WebSocket-Protocol``; None: no such header."""
    refusal: tuple[Refusal, str, str] | None
    """Why the connection is closed as soon as it is open: refusal, close reason, detail for the log; or None."""


def origin_refusal(origin: str) -> tuple[Refusal, str, str]:
    """The refusal of a page whose origin is not in the list."""
    return Refusal.ORIGIN, "origin not allowed", f"origin {origin[:MAX_LOGGED_CHARACTERS]}"


def choose(offers: Sequence[str], encodings: Encodings, refusal: tuple[Refusal, str, str] | None) -> Opening:
    """Choose an encoding by the subprotocols that the client *offers*; *refusal*: one that is decided already, or None.

    A browser tells its page nothing of an answer other than 101, so every refusal is a close code of an open
    connection. It also fails a connection whose answer names none of the subprotocols that the page offered (WHATWG,
    WebSockets, "establish a WebSocket connection"). So the answer repeats one even where the relay knows none.
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
