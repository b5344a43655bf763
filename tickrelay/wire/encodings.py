"""The three encodings of the client protocol; each client uses one of them.

Frames are complete (header and payload) and the same for every client of an encoding, so they are made once and shared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tickrelay.model.ticks import Tick
from tickrelay.wire.basic import Basic
from tickrelay.wire.messages import AnyMessage, ListMessage
from tickrelay.wire.parts import Part
from tickrelay.wire.requests import Request
from tickrelay.wire.v1_json import V1Json
from tickrelay.wire.v1_protobuf import V1Protobuf


class Encoding(Protocol):
    """Makes a client's frames, and reads its requests."""

    @property
    def name(self) -> str:
        """For logs and metrics."""

    @property
    def subprotocol(self) -> str | None:
        """The name in ``Sec-WebSocket-Protocol`` that asks for it; None: the encoding of clients that name nothing."""

    @property
    def version(self) -> int:
        """0: basic; 1: v1."""

    @property
    def binary(self) -> bool:
        """Frames are binary, not text."""

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick, for all clients that were sent the one before it. Called once per tick: must be fast.

        Only for live ticks: an encoding may leave out what it has put into an earlier tick.
        """

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame of a tick, for a client that was not sent the *conflated* ones before it."""

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The frame of a tick that is sent again on subscribing; the relay received it *age_ms* milliseconds ago."""

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message. Raises ValueError for one that the encoding does not have."""

    def items(self, kind: type[ListMessage], parts: Sequence[Part]) -> bytes:
        """Consecutive items of the list of a message of this *kind*, encoded to be shared by several messages."""

    def with_items(self, message: ListMessage, items: Sequence[bytes]) -> list[bytes]:
        """The pieces of the frame of *message*, with all *items* in a row in place of its own list.

        No item may be empty.
        """

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
        """The encoding that a client asks for by *name*; None: the relay has none of that name."""
        return next((e for e in self if e.subprotocol == name), None)


def make_encodings(epoch: str) -> Encodings:
    """The encodings of one run of the relay; *epoch*: its name in positions."""
    return Encodings(basic=Basic(), v1_json=V1Json(epoch), v1_protobuf=V1Protobuf())
