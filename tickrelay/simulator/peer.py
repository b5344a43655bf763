"""A connection as broker, depth books, answers and faults see it: what a session offers them, without its framing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from google.protobuf.message import Message


class Subscriber(Protocol):
    """What the distribution of quotes needs of a connection."""

    number: int
    """Identifies the connection while the simulator runs; never used again."""
    paused: bool
    """The client reads too slowly: ticks for it are skipped, not buffered."""

    @property
    def accounts(self) -> Mapping[int, object]:
        """Account ids authorized on this connection -> the grant that authorized each."""

    def send_ticks(self, batch: Sequence[bytes]) -> None:
        """Send frames of spot and depth events."""


class Peer(Subscriber, Protocol):
    """What answers and faults do to a connection, their own or any other."""

    application: bool
    """Application auth has succeeded."""

    def send(self, message: Message, client_msg_id: str = "") -> None:
        """Send one message; events carry no id."""

    def send_frames(self, batch: Sequence[bytes]) -> None:
        """Send serialized envelopes as they are."""

    def write_raw(self, data: bytes) -> None:
        """Send bytes that are no frame."""

    def later(self, delay_s: float, call: Callable[..., object], *args: object) -> None:
        """Call *call* after *delay_s* seconds, unless the session has ended by then."""

    def close(self) -> None:
        """Flush, then close in order (TLS close_notify, WebSocket close 1000)."""

    def abort(self) -> None:
        """Reset the connection; what was not sent yet is lost."""

    def go_half_open(self) -> None:
        """Stop reading and sending, and leave the connection open."""

    def lose_application(self) -> None:
        """End the application's session and all of its accounts; the connection stays open."""

    def throw_out(self, account_id: int) -> None:
        """End the session of one account; the connection stays open."""
