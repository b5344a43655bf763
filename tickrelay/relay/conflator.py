"""Conflation for clients that asked for a lower rate: one timer per rate, however many clients share it."""

from tickrelay.model.clock import Clock
from tickrelay.relay.subscriber import Subscriber


class Conflator:
    """Sends the newest tick of each channel of this rate to its clients *rate* times a second; stops with the last."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._subscribers: dict[Subscriber, None] = {}
        self._rate = rate
        self._clock = clock
        self._running = False

    def add(self, subscriber: Subscriber) -> None:
        """Send to *subscriber* too; starts the timer with the first."""
        self._subscribers[subscriber] = None
        if not self._running:
            self._running = True
            self._clock.call_later(1.0 / self._rate, self._beat)

    def discard(self, subscriber: Subscriber) -> None:
        """Stop sending to *subscriber*; does nothing if it is not served."""
        self._subscribers.pop(subscriber, None)

    def _beat(self) -> None:
        for subscriber in list(self._subscribers):
            channels = [channel for channel, rate in subscriber.channels.items() if rate == self._rate]
            if not channels:
                del self._subscribers[subscriber]
            elif not subscriber.is_waiting:
                frames = subscriber.newest(channels)
                if frames:
                    subscriber.outbox.write(frames)
        self._running = bool(self._subscribers)
        if self._running:
            self._clock.call_later(1.0 / self._rate, self._beat)
