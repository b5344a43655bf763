"""One client's subscriptions: its channels and their rates, and its position in each that no cohort serves."""

from collections.abc import Iterable
from typing import Protocol

from tickrelay.relay.channel import Channel
from tickrelay.relay.outbox import Outbox
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import AnyMessage

MadeFrames = dict[tuple[Encoding, Channel, int], bytes]
"""Frames of channels' newest ticks, by what they differ in; the integer is how many were conflated."""


class SubscriberOwner(Protocol):
    """Moves subscribers between cohorts and conflation: implemented by the fan-out."""

    def fell_behind(self, subscriber: "Subscriber") -> None:
        """The client's transport holds data."""

    def progressed(self, subscriber: "Subscriber") -> None:
        """The client took some of the queued data, and more is queued."""

    def caught_up(self, subscriber: "Subscriber") -> None:
        """Nothing is queued for the client any more."""

    def expel(self, subscriber: "Subscriber") -> None:
        """Close the client as a slow consumer."""


class Subscriber:
    """One client, as the hub sees it; provides `OutboxOwner`. Made by `Hub.attach`.

    While it keeps up it is a member of a cohort, and has positions in rate-limited channels only. Outside of a cohort
    it has a position in each channel, and no queued ticks.
    """

    __slots__ = (
        "channels",
        "cohort",
        "encoding",
        "expelled",
        "features",
        "held",
        "outbox",
        "owner",
        "paused",
        "positions",
    )

    def __init__(self, outbox: Outbox, encoding: Encoding, owner: SubscriberOwner) -> None:
        self.outbox = outbox
        outbox.owner = self
        self.encoding = encoding
        self.owner = owner
        self.features: frozenset[str] = frozenset()
        """What a v1 client named in ``features``."""
        self.channels: dict[Channel, float] = {}
        """Subscribed channels -> the client's rate limit, ticks per second (0: every tick)."""
        self.cohort: frozenset[int] | None = None
        """Key of its cohort; None: it is in none."""
        self.positions: dict[Channel, int] = {}
        """Channels that its cohort does not serve -> sequence number of the last tick that the client was sent."""
        self.paused = False
        """The client paused its ticks (``configure``)."""
        self.held: list[bytes] | None = None
        """Frames that wait until a request on its subscriptions is answered, and all ticks with them; None: none is.

        Such a request may take several turns (`Hub.hold`), and the ticks and gaps of what it subscribes must not be
        sent before its answer.
        """
        self.expelled = False
        """It was closed as a slow consumer."""

    @property
    def is_waiting(self) -> bool:
        """Whether it is sent no ticks at the moment: it is paused or held, or its transport holds data."""
        return self.paused or self.outbox.blocked or self.held is not None

    def send(self, message: AnyMessage) -> None:
        """Send a message to this client alone, in its encoding. Raises ValueError for one that the encoding lacks."""
        self.outbox.write(self.encoding.message(message))

    def newest(self, channels: Iterable[Channel], made: MadeFrames) -> bytes:
        """Frames of the newest tick of each channel that moved since the client's position, which is set to it.

        *made*: the frames of this moment, which several clients share; those that are missing are added.
        """
        positions, encoding = self.positions, self.encoding
        frames = []
        for channel in channels:
            conflated = channel.sent_seq - positions[channel] - 1
            if conflated >= 0 and channel.sent is not None:
                positions[channel] = channel.sent_seq
                frame = made.get((encoding, channel, conflated))
                if frame is None:
                    frame = made[encoding, channel, conflated] = encoding.newest(channel.sent, conflated)
                frames.append(frame)
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
        """Too much is queued for the client."""
        self.owner.expel(self)
