"""What a session uses of its framing (TCP, WebSocket, JSON)."""

from collections.abc import Sequence
from typing import Protocol


class Line(Protocol):
    """The sending side of one connection."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Send frames (serialized envelopes), together if the framing can."""

    def write_raw(self, data: bytes) -> None:
        """Send bytes that are no frame (faults)."""

    def close(self) -> None:
        """Flush, then close in order."""

    def abort(self) -> None:
        """Reset the connection."""
