"""What one client gets: its channels and their rates, and where it stands in each that no cohort serves."""

from collections.abc import Iterable
from typing import Protocol

from tickrelay.relay.channel import Channel
from tickrelay.relay.outbox import Outbox
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import AnyMessage


class SubscriberOwner(Protocol):
    """Who moves subscribers between the fast path and the slow one: the fan-out."""

    def fell_behind(self, subscriber: "Subscriber") -> None:
        """The client's transport holds data."""

    def progressed(self, subscriber: "Subscriber") -> None:
        """The client took something, and more waits."""

    def caught_up(self, subscriber: "Subscriber") -> None:
        """Nothing waits for the client any more."""

    def expel(self, subscriber: "Subscriber") -> None:
        """The client must be closed as a slow consumer."""


class Subscriber:
    """One client, as the hub sees it; provides `OutboxOwner`. Made by `Hub.attach`.

    While it keeps up it is a member of a cohort and has no positions but those of rate-limited channels. Outside, the
    sequence number that it got last is kept for each channel, and nothing else: a slow client holds no ticks.
    """

    __slots__ = ("channels", "cohort", "encoding", "expelled", "features", "outbox", "owner", "paused", "positions")

    def __init__(self, outbox: Outbox, encoding: Encoding, owner: SubscriberOwner) -> None:
        self.outbox = outbox
        outbox.owner = self
        self.encoding = encoding
        self.owner = owner
        self.features: frozenset[str] = frozenset()
        """What a v1 client named in ``features``."""
        self.channels: dict[Channel, float] = {}
        """Subscribed channels -> the highest rate the client wants of it, ticks per second (0: every tick)."""
        self.cohort: frozenset[int] | None = None
        """Key of the cohort that serves it; None: none does."""
        self.positions: dict[Channel, int] = {}
        """Channels that are not served by the cohort -> the sequence number that the client got last."""
        self.paused = False
        """The client asked for no ticks for a while."""
        self.expelled = False
        """Its close frame was written because it takes nothing."""

    @property
    def is_waiting(self) -> bool:
        """Whether it may get no ticks at the moment: it is paused, or its transport holds data."""
        return self.paused or self.outbox.blocked

    def send(self, message: AnyMessage) -> None:
        """Send a message of the client's own, in its encoding."""
        self.outbox.write(self.encoding.message(message))

    def newest(self, channels: Iterable[Channel]) -> bytes:
        """The newest tick of each channel that moved since the client's position, which moves up to it."""
        positions = self.positions
        frames = []
        for channel in channels:
            conflated = channel.sent_seq - positions[channel] - 1
            if conflated >= 0 and channel.sent is not None:
                positions[channel] = channel.sent_seq
                frames.append(self.encoding.newest(channel.sent, conflated))
        return b"".join(frames)

    # OutboxOwner.

    def outbox_blocked(self) -> None:
        """The transport holds data now."""
        self.owner.fell_behind(self)

    def outbox_progressed(self, drained: bool) -> None:
        """The transport has written out what it was given."""
        if drained:
            self.owner.caught_up(self)
        else:
            self.owner.progressed(self)

    def outbox_overflowed(self) -> None:
        """Too much waits for the client."""
        self.owner.expel(self)
