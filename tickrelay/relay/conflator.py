"""Conflation for clients that asked for a lower rate: a tick after a quiet time leaves at once, the newest when due."""

from collections.abc import Iterable

from tickrelay.model.clock import Clock
from tickrelay.relay.channel import Channel
from tickrelay.relay.subscriber import MadeFrames, Subscriber

COALESCE_S = 0.002
"""How long a due subscription may wait for others, so that many share one call of the timer."""


class Conflator:
    """Serves the subscriptions of one rate; a subscription is a client's of one channel.

    It is *ready* when it was sent nothing for a period: its next tick leaves with the flush that brings it. Then it is
    *resting* for a period, and is sent the newest tick at its end, if there was one. All rest equally long, so one
    timer serves them in the order in which they were sent to; while none rests there is no timer. What becomes due
    while the client is paused or blocked is sent by `catch_up`.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._period_s = 1.0 / rate
        self._clock = clock
        self._ready: dict[Channel, dict[Subscriber, None]] = {}
        self._resting: dict[tuple[Channel, Subscriber], float] = {}
        """Subscriptions -> the end of their rest (monotonic seconds), the first to end first."""
        self._has_timer = False

    def add(self, subscriber: Subscriber, channel: Channel) -> None:
        """Serve a subscription; does nothing if it is served already."""
        if (channel, subscriber) not in self._resting:
            self._ready.setdefault(channel, {})[subscriber] = None

    def discard(self, subscriber: Subscriber, channel: Channel) -> None:
        """Serve a subscription no longer."""
        if self._resting.pop((channel, subscriber), None) is None:
            ready = self._ready.get(channel, {})
            ready.pop(subscriber, None)
            if not ready:
                self._ready.pop(channel, None)

    def flushed(self, channels: Iterable[Channel]) -> None:
        """Ticks of *channels* were flushed: send them to the subscriptions that are ready."""
        due: dict[Subscriber, list[Channel]] = {}
        for channel in channels:
            for subscriber in self._ready.pop(channel, ()):
                due.setdefault(subscriber, []).append(channel)
        if due:
            self._send(due)

    def catch_up(self, subscriber: Subscriber, channels: Iterable[Channel]) -> None:
        """Send a client that is neither paused nor blocked what became due before."""
        due = []
        for channel in channels:
            ready = self._ready.get(channel, {})
            if subscriber in ready and channel.sent_seq > subscriber.positions[channel]:
                self.discard(subscriber, channel)
                due.append(channel)
        if due:
            self._send({subscriber: due})

    def _send(self, due: dict[Subscriber, list[Channel]]) -> None:
        """Send each client the newest ticks of its channels, all of which moved; then they rest."""
        end_s = self._clock.monotonic_s() + self._period_s
        frames: MadeFrames = {}
        for subscriber, channels in due.items():
            if subscriber.is_waiting:
                for channel in channels:
                    self.add(subscriber, channel)
                continue
            subscriber.outbox.write(subscriber.newest(channels, frames))
            for channel in channels:
                if channel in subscriber.channels:  # the write may have ended the client
                    self._resting[channel, subscriber] = end_s
        self._start_timer()

    def _start_timer(self) -> None:
        if self._resting and not self._has_timer:
            self._has_timer = True
            first_s = next(iter(self._resting.values()))
            self._clock.call_later(max(first_s - self._clock.monotonic_s(), 0.0) + COALESCE_S, self._rest_ends)

    def _rest_ends(self) -> None:
        self._has_timer = False
        now_s = self._clock.monotonic_s()
        rested = []
        for subscription, end_s in self._resting.items():
            if end_s > now_s:
                break
            rested.append(subscription)
        due: dict[Subscriber, list[Channel]] = {}
        for channel, subscriber in rested:
            del self._resting[channel, subscriber]
            if channel.sent_seq > subscriber.positions[channel]:
                due.setdefault(subscriber, []).append(channel)
            else:
                self._ready.setdefault(channel, {})[subscriber] = None
        self._send(due)
