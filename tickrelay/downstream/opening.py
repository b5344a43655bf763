"""The opening request of a WebSocket connection: chooses encoding and subprotocol, or a refusal."""

from collections.abc import Sequence
from typing import NamedTuple

from tickrelay.admission.refusals import Refusal
from tickrelay.downstream.tokens import SUBPROTOCOL_PREFIX
from tickrelay.wire.encodings import Encoding, Encodings

MAX_ECHO_CHARACTERS = 32
"""Of an unknown subprotocol in the answer: a longer one may be a token whose prefix is misspelt."""


class Opening(NamedTuple):
    """How the request is answered."""

    encoding: Encoding
    subprotocol: str | None
    """For the answer's ``Sec-WebSocket-Protocol``; None: no such header."""
    refusal: tuple[Refusal, str, str] | None
    """Why the connection is closed as soon as it is open: refusal, close reason, detail for the log; or None."""


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
