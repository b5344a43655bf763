"""Batches ticks per reactor turn, sends per cohort, conflates for slow clients.

Knows no reactor and no socket: time comes from the injected clock, bytes go out through outboxes.
"""

from collections.abc import Iterable
from itertools import islice
from math import inf

from tickrelay.config.settings import RelaySettings
from tickrelay.model.clock import Clock
from tickrelay.model.errors import CloseCode
from tickrelay.model.ticks import Tick
from tickrelay.relay.channel import Channel
from tickrelay.relay.cohort import SENDS_A_LOOK, EncodingGroup, Flush
from tickrelay.relay.conflator import Conflator
from tickrelay.relay.outbox import Outbox
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.encodings import Encoding

MAX_REST_S = 0.005
"""Upper bound of the rest after a flush: a longer one would add latency and batch few more ticks."""

REST_FROM, REST_FULLY = 0.6, 0.9
"""Between these loads the rest grows from none to as long as the flush took."""

LOAD_TIME_S = 0.1
"""Time constant of the load."""

SLICE_S = 0.006
"""After so long a flush lets the reactor read, and goes on in its next turn."""

SAMPLED = 8
"""One flush of so many is used to learn what a send takes."""

IDLE_S = 0.002
"""Time after the last flush and its pause from which the relay counts as idle: the next tick is sent at once, without
waiting for the end of a turn that most likely brings no other.
"""


class Counters:
    """Totals since the start, read by the metrics; ``flush_s`` in seconds."""

    def __init__(self) -> None:
        self.ticks = 0
        self.flushes = 0
        self.flush_s = 0.0
        self.fell_behind = 0
        self.caught_up = 0
        self.expelled = 0


class Fanout:
    """Owned by the hub, which decides who subscribes what; provides `SubscriberOwner`."""

    def __init__(self, clock: Clock, encodings: Iterable[Encoding], settings: RelaySettings) -> None:
        self.counters = Counters()
        self.groups = {encoding: EncodingGroup(encoding) for encoding in encodings}
        self.behind: dict[Subscriber, float] = {}
        """Clients whose transport holds data -> when they last made progress (monotonic seconds)."""
        self.last_flush_s = 0.0
        """When ticks were last sent (monotonic seconds); 0: never."""
        self.settings = settings
        self._clock = clock
        self._dirty: list[Channel] = []
        self._scheduled = False
        self._not_before = 0.0
        self._idle_from = 0.0
        self._rest_s = 0.0
        self.load = 0.0
        """Share of the time that sending would take if each tick were sent on its own, of late."""
        self._send_s = 0.0
        """What sending to one client took of late, all parts of a flush included."""
        self._conflators: dict[float, Conflator] = {}
        self._unsent: dict[Outbox, bytes] = {}
        """Clients that are sent something before the next flush, and their data: those to whom the flush that is going
        on has sent nothing yet, and those of `send_before_ticks`.
        """

    def add_channel(self) -> None:
        """One more channel exists; its index is the next one."""
        for group in self.groups.values():
            group.add_channel()

    # The flush.

    def publish(self, channel: Channel, tick: Tick) -> None:
        """Send a tick: at the end of the reactor's turn, with the turn's other ticks, or at once on an idle relay."""
        if not channel.pending:
            self._dirty.append(channel)
        channel.pending.append(tick)
        if not self._scheduled:
            now_s = self._clock.monotonic_s()
            if now_s > self._idle_from:
                self._turn()
            else:
                self._scheduled = True
                self._clock.call_later(max(self._not_before - now_s, 0.0), self._turn)

    def flush(self) -> None:
        """Send all pending ticks now."""
        self._send_unsent(inf)
        self._flush(inf)

    def send_before_ticks(self, outbox: Outbox, frame: bytes) -> None:
        """Send *frame* after the ticks of the flush that is going on, and before those of the next one.

        Like a flush it is sent in slices, and all that is sent to a client in this way goes out in one write.
        """
        self._unsent[outbox] = self._unsent.get(outbox, b"") + frame
        if not self._scheduled:
            self._scheduled = True
            self._clock.call_later(0.0, self._turn)

    def _turn(self) -> None:
        """Go on with a flush, or begin one, for `SLICE_S`; the rest of it in the reactor's next turn."""
        end_s = self._clock.monotonic_s() + SLICE_S
        if self._unsent:
            self._send_unsent(end_s)
        else:
            self._flush(end_s)
        self._scheduled = bool(self._unsent or self._dirty)
        if self._scheduled:
            delay_s = 0.0 if self._unsent else max(self._not_before - self._clock.monotonic_s(), 0.0)
            self._clock.call_later(delay_s, self._turn)

    def _send_unsent(self, end_s: float) -> None:
        """Go on with a flush, up to *end_s* (monotonic seconds)."""
        while self._unsent:
            for outbox in list(islice(self._unsent, SENDS_A_LOOK)):
                self._send_now(outbox)
            now_s = self._clock.monotonic_s()
            self._not_before = max(self._not_before, now_s + self._rest_s)
            self._idle_from = self._not_before + IDLE_S
            if now_s >= end_s:
                return

    def _send_now(self, outbox: Outbox) -> None:
        """Send what the flush that is going on has for this client; it may be nothing."""
        data = self._unsent.pop(outbox, None)
        if data is not None:
            outbox.write(data)

    def _flush(self, end_s: float) -> None:
        """Send the pending ticks: one write per client. Clients whose turn has not come at *end_s* are left in
        `_unsent`.

        Under load the next flush starts later, by up to this one's duration (at most `MAX_REST_S`): about half of the
        time is then left for receiving, and each flush carries more. It also starts no earlier than the configured
        flush window after this one's start.
        """
        if not self._dirty:
            return
        begun = self._clock.monotonic_s()
        counters = self.counters
        counters.flushes += 1
        is_sample = not counters.flushes % SAMPLED
        sends = self._sends() if is_sample else 0
        dirty, self._dirty = self._dirty, []
        for channel in dirty:
            channel.sent = channel.last
            channel.sent_seq = channel.seq
        flush = Flush(self._clock.monotonic_s, end_s)
        for group in self.groups.values():
            group.send(dirty, flush)
        self._unsent = flush.unsent
        for outbox, data, taken in flush.stalled:
            outbox.block(data, taken)
        for conflator in self._conflators.values():
            conflator.flushed(dirty)
        single_sends = 0
        for channel in dirty:
            ticks = len(channel.pending)
            counters.ticks += ticks
            single_sends += ticks * channel.audience
            channel.pending.clear()
        ended = self._clock.monotonic_s()
        counters.flush_s += ended - begun
        if is_sample and (sends := self._sends() - sends - len(flush.unsent)) > 0:
            self._send_s += ((ended - begun) / sends - self._send_s) * 0.5
        # It depends on ticks and clients, and not on whether there is a rest: else the rest would come and go.
        load = (self.load * LOAD_TIME_S + single_sends * self._send_s) / (LOAD_TIME_S + begun - self.last_flush_s)
        self.load = load
        self.last_flush_s = begun
        self._rest_s = 0.0
        if load > REST_FROM:
            self._rest_s = min(ended - begun, MAX_REST_S) * min((load - REST_FROM) / (REST_FULLY - REST_FROM), 1.0)
        self._not_before = max(ended + self._rest_s, begun + self.settings.flush_window_s)
        self._idle_from = self._not_before + IDLE_S

    def _sends(self) -> int:
        return sum(group.sends for group in self.groups.values())

    # SubscriberOwner.

    def fell_behind(self, subscriber: Subscriber) -> None:
        """The client's transport holds data: send it no ticks until that is drained."""
        if subscriber not in self.behind:
            self.behind[subscriber] = self._clock.monotonic_s()
            self.counters.fell_behind += 1
        self.leave_cohort(subscriber)

    def progressed(self, subscriber: Subscriber) -> None:
        """The client's transport has drained a chunk: restart its stuck timeout."""
        if subscriber in self.behind:
            self.behind[subscriber] = self._clock.monotonic_s()

    def caught_up(self, subscriber: Subscriber) -> None:
        """The client's transport is empty again: send the newest tick of each channel, and rejoin a cohort."""
        if self.behind.pop(subscriber, None) is not None:
            self.counters.caught_up += 1
        self.rejoin(subscriber)

    def expel(self, subscriber: Subscriber) -> None:
        """Close a client as a slow consumer; does nothing the second time."""
        if subscriber.expelled:
            return  # the close frame itself is queued, and overflows the queue again
        subscriber.expelled = True
        self.counters.expelled += 1
        self.behind.pop(subscriber, None)
        subscriber.outbox.close(CloseCode.SLOW_CONSUMER, "slow consumer")

    def sweep(self) -> None:
        """Expel the clients that have read nothing for too long. Called about once a second."""
        now_s = self._clock.monotonic_s()
        for subscriber in self.behind:
            if subscriber.outbox.is_read():
                self.behind[subscriber] = now_s
        cutoff = now_s - self.settings.stuck_timeout_s
        for subscriber in [subscriber for subscriber, since in self.behind.items() if since < cutoff]:
            self.expel(subscriber)

    # Inside a cohort, or outside with positions.

    def leave_cohort(self, subscriber: Subscriber) -> None:
        """Remove the client from its cohort, and note its position in each of the cohort's channels."""
        self._send_now(subscriber.outbox)
        if subscriber.cohort is None:
            return
        for channel in self.groups[subscriber.encoding].leave(subscriber):
            subscriber.positions[channel] = channel.sent_seq

    def rejoin(self, subscriber: Subscriber) -> None:
        """Send the client the newest ticks and put it into a cohort, unless it is paused or blocked."""
        if subscriber.is_waiting:
            return
        unlimited = [channel for channel in subscriber.positions if not subscriber.channels[channel]]
        frames = subscriber.newest(unlimited, {})
        if frames:
            subscriber.outbox.write(frames)
        if len(unlimited) < len(subscriber.positions):
            self._catch_up(subscriber)
        # These writes may have filled the transport: then the client is behind again.
        if unlimited and not subscriber.outbox.blocked:
            if len(unlimited) == len(subscriber.positions):
                subscriber.positions = {}  # a dict never shrinks when keys are removed
            else:
                for channel in unlimited:
                    del subscriber.positions[channel]
            self.groups[subscriber.encoding].join(subscriber, unlimited)

    def _catch_up(self, subscriber: Subscriber) -> None:
        by_rate: dict[float, list[Channel]] = {}
        for channel, rate in subscriber.channels.items():
            if rate:
                by_rate.setdefault(rate, []).append(channel)
        for rate, channels in by_rate.items():
            if not subscriber.is_waiting:
                self._conflators[rate].catch_up(subscriber, channels)

    def limit_rate(self, subscriber: Subscriber, channel: Channel, max_rate: float) -> None:
        """Change the rate of one subscription (ticks/s; 0: every tick). The client must be outside of a cohort."""
        before = subscriber.channels.get(channel, 0.0)
        if before and before != max_rate:
            self._conflators[before].discard(subscriber, channel)
        if max_rate:
            conflator = self._conflators.get(max_rate)
            if conflator is None:
                conflator = self._conflators[max_rate] = Conflator(max_rate, self._clock)
            conflator.add(subscriber, channel)
        subscriber.channels[channel] = max_rate

    def forget(self, subscriber: Subscriber) -> None:
        """Remove all that is kept of a client that is gone."""
        self.leave_cohort(subscriber)
        for channel, rate in subscriber.channels.items():
            if rate:
                self._conflators[rate].discard(subscriber, channel)
        subscriber.positions = {}
        self.behind.pop(subscriber, None)
