"""The ways to say the client protocol as bytes: there are three, and every client speaks one of them.

Frames are complete (header and payload) and the same for every client of the encoding, so they are made once and
shared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tickrelay.model.ticks import Tick
from tickrelay.wire.basic import Basic
from tickrelay.wire.messages import AnyMessage
from tickrelay.wire.requests import Request
from tickrelay.wire.v1_json import V1Json
from tickrelay.wire.v1_protobuf import V1Protobuf


class Encoding(Protocol):
    """How a client's frames are written and read."""

    @property
    def name(self) -> str:
        """For logs and metrics."""

    @property
    def subprotocol(self) -> str | None:
        """What a client names in ``Sec-WebSocket-Protocol`` to get it; None: it names nothing."""

    @property
    def version(self) -> int:
        """0: basic; 1: v1."""

    @property
    def binary(self) -> bool:
        """Frames are binary, not text."""

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick, for clients that got the one before it. Once per tick: fast."""

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame of a tick, for a client that did not get the *conflated* ones before it."""

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The frame of a tick that is sent again on subscribing, received *age_ms* ago."""

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message. Raises ValueError for one that the encoding's clients do not know."""

    def parse(self, payload: bytes, binary: bool) -> Request:
        """The request in the payload of a client's text or binary frame. Raises BadRequest, whatever the bytes."""


@dataclass(frozen=True)
class Encodings:
    """All encodings of one run of the relay."""

    basic: Encoding
    v1_json: Encoding
    v1_protobuf: Encoding

    def __iter__(self) -> Iterator[Encoding]:
        return iter((self.basic, self.v1_json, self.v1_protobuf))

    def by_subprotocol(self, name: str) -> Encoding | None:
        """The encoding that a client asks for by *name*; None for a name that is none of ours."""
        return next((e for e in self if e.subprotocol == name), None)


def make_encodings(epoch: str) -> Encodings:
    """The encodings of the run that counts its ticks under *epoch*."""
    return Encodings(basic=Basic(), v1_json=V1Json(epoch), v1_protobuf=V1Protobuf())
