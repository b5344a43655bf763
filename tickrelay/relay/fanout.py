"""How ticks leave: the flush that ends a turn, the groups of those who keep up, and the care for those who do not.

Knows no reactor and no socket: time comes in as callables, bytes go out through outboxes.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from tickrelay.config.settings import RelaySettings
from tickrelay.model.errors import CloseCode
from tickrelay.model.ticks import Tick
from tickrelay.relay.channel import Channel
from tickrelay.relay.cohort import EncodingGroup
from tickrelay.relay.conflator import Conflator
from tickrelay.relay.outbox import Outbox
from tickrelay.wire.encodings import Encoding

MAX_REST_S = 0.005
"""A longer rest after a long flush would add to latency and carry little more."""

IDLE_S = 0.002
"""So long after the last flush and its rest the relay counts as idle: the next tick leaves at once, and does not wait
for the end of a turn that will most likely bring no other.
"""


class Time(Protocol):
    """The clocks that the relay is given; `tickrelay.service` makes one of the reactor."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> object:
        """Run *call* once, *delay_s* from now; 0 is the end of the reactor's turn."""

    def monotonic(self) -> float:
        """Seconds that never step, for durations."""

    def now_ms(self) -> int:
        """Unix milliseconds, for stamps."""


class Counters:
    """Plain integers, read by the metrics."""

    def __init__(self) -> None:
        self.ticks = 0
        self.flushes = 0
        self.flush_s = 0.0
        self.fell_behind = 0
        self.caught_up = 0
        self.expelled = 0


class Fanout:
    """Owned by the hub, which says who wants what; outboxes report here how they do."""

    def __init__(self, time: Time, encodings: Iterable[Encoding], settings: RelaySettings) -> None:
        self.counters = Counters()
        self.groups = {encoding: EncodingGroup(encoding) for encoding in encodings}
        self.behind: dict[Outbox, float] = {}
        """Clients whose transport holds data -> when they last made progress (monotonic seconds)."""
        self.last_flush_s = 0.0
        """When ticks were last handed out (monotonic seconds); 0: never."""
        self.max_queued_bytes = settings.max_queued_bytes
        self._settings = settings
        self._time = time
        self._dirty: list[Channel] = []
        self._scheduled = False
        self._not_before = 0.0
        self._idle_from = 0.0
        self._conflators: dict[float, Conflator] = {}

    def add_channel(self) -> None:
        """One more channel exists; its index is the next one."""
        for lane in self.groups.values():
            lane.add_channel()

    # The flush.

    def publish(self, channel: Channel, tick: Tick) -> None:
        """A tick is to go out: at the end of the turn with all that the turn brings, or at once on an idle relay."""
        if not channel.pending:
            self._dirty.append(channel)
        channel.pending.append(tick)
        if not self._scheduled:
            now = self._time.monotonic()
            if now > self._idle_from:
                self.flush()
            else:
                self._scheduled = True
                self._time.call_later(max(self._not_before - now, 0.0), self._turn_ends)

    def _turn_ends(self) -> None:
        self._scheduled = False
        self.flush()

    def flush(self) -> None:
        """Hand out what the turn brought: one write a client.

        The next flush comes not before this one's duration has passed once more (but no longer than `MAX_REST_S`), so
        that under overload about half of the time is spent sending and each turn carries more; nor before the window
        that is set has passed.
        """
        if not self._dirty:
            return
        begun = self._time.monotonic()
        dirty, self._dirty = self._dirty, []
        for channel in dirty:
            channel.sent = channel.last
            channel.sent_seq = channel.seq
        for lane in self.groups.values():
            for outbox, data, taken in lane.send(dirty):
                outbox.hold(data, taken)
                self.fell_behind(outbox)
        for channel in dirty:
            self.counters.ticks += len(channel.pending)
            channel.pending.clear()
        ended = self._time.monotonic()
        self.last_flush_s = begun
        self.counters.flushes += 1
        self.counters.flush_s += ended - begun
        self._not_before = max(ended + min(ended - begun, MAX_REST_S), begun + self._settings.flush_window_s)
        self._idle_from = self._not_before + IDLE_S

    # The outboxes' side.

    def fell_behind(self, outbox: Outbox) -> None:
        """The client's transport holds data: no ticks for it until it has drained."""
        if outbox not in self.behind:
            self.behind[outbox] = self._time.monotonic()
            self.counters.fell_behind += 1
        self.leave_cohort(outbox)

    def progressed(self, outbox: Outbox) -> None:
        """The client took something: it is not stuck."""
        if outbox in self.behind:
            self.behind[outbox] = self._time.monotonic()

    def caught_up(self, outbox: Outbox) -> None:
        """The client's transport is empty again: the newest of everything, then back to the fast lane."""
        if self.behind.pop(outbox, None) is not None:
            self.counters.caught_up += 1
        self.rejoin(outbox)

    def expel(self, outbox: Outbox) -> None:
        """Close a client that takes nothing."""
        if outbox.expelled:
            return  # its close frame is one more frame that waits
        outbox.expelled = True
        self.counters.expelled += 1
        self.behind.pop(outbox, None)
        outbox.close(CloseCode.SLOW_CONSUMER, "slow consumer")

    def sweep(self) -> None:
        """Expel the clients that have drained nothing for too long. Called about once a second."""
        horizon = self._time.monotonic() - self._settings.stuck_timeout_s
        for outbox in [outbox for outbox, since in self.behind.items() if since < horizon]:
            self.expel(outbox)

    # Where a client stands: inside a cohort, or outside with positions.

    def leave_cohort(self, outbox: Outbox) -> None:
        """Take the client out of its cohort and write down where it stands."""
        cohort = outbox.cohort
        if cohort is not None:
            self.groups[outbox.encoding].leave(outbox)
            for channel in cohort.channels:
                outbox.positions[channel] = channel.sent_seq

    def rejoin(self, outbox: Outbox) -> None:
        """Bring the client up to date and into a cohort, if it is neither behind nor paused."""
        if outbox.blocked or outbox.paused:
            return
        free = [channel for channel in outbox.positions if not outbox.channels[channel]]
        frames = self.newest(outbox, free)
        if frames:
            outbox.write(frames)
        if free and not outbox.blocked:
            for channel in free:
                del outbox.positions[channel]
            self.groups[outbox.encoding].join(outbox, free)

    def newest(self, outbox: Outbox, channels: Iterable[Channel]) -> bytes:
        """The newest tick of each channel that moved since the client's position, which moves up to it."""
        positions = outbox.positions
        frames = []
        for channel in channels:
            conflated = channel.sent_seq - positions[channel] - 1
            if conflated >= 0 and channel.sent is not None:
                positions[channel] = channel.sent_seq
                frames.append(outbox.encoding.newest(channel.sent, conflated))
        return b"".join(frames)

    def pace(self, outbox: Outbox, max_rate: float) -> None:
        """Serve the client at this rate too (ticks/s of each symbol; 0 is not paced)."""
        if max_rate:
            conflator = self._conflators.get(max_rate)
            if conflator is None:
                conflator = self._conflators[max_rate] = Conflator(self, max_rate, self._time.call_later)
            conflator.add(outbox)

    def forget(self, outbox: Outbox) -> None:
        """The client is gone."""
        self.leave_cohort(outbox)
        outbox.positions = {}
        self.behind.pop(outbox, None)
        for conflator in self._conflators.values():
            conflator.outboxes.pop(outbox, None)
