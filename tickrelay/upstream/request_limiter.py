"""The request budget of one connection: never more than so many requests in any second, however many are submitted.

cTrader allows 50 requests a second, 5 of them historical, per connection. A budget of *n* here means at most *n* in
**any** window of one second: a bucket that holds a few and refills with the rest. Heartbeats are counted but never
wait.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from tickrelay.model.clock import Clock, Timer
from tickrelay.openapi import registry

MAX_PAUSE_S = 120.0
"""The longest pause after an answer that asks for one; longer ones are probed again."""

_HISTORICAL = frozenset(row.number for row in registry.all_types() if row.historical)


class Priority(IntEnum):
    """Which request leaves first when the budget is tight."""

    SESSION = 0
    """Authorisation: without it nothing else is answered."""
    UNSUBSCRIBE = 1
    SUBSCRIBE = 2
    OTHER = 3


_PRIORITIES = {
    **{
        registry.lookup(name).number: Priority.SESSION
        for name in ("ProtoOAApplicationAuthReq", "ProtoOAAccountAuthReq", "ProtoOARefreshTokenReq")
    },
    registry.lookup("ProtoOAUnsubscribeSpotsReq").number: Priority.UNSUBSCRIBE,
    registry.lookup("ProtoOASubscribeSpotsReq").number: Priority.SUBSCRIBE,
}


class Bucket:
    """Tokens that refill with time; at most *per_second* can be taken in any window of one second.

    *spare* tokens of the budget are kept for what never waits.
    """

    def __init__(self, per_second: int, spare: int = 0) -> None:
        self.capacity = max(1, min(per_second // 10, per_second - spare - 1))
        self.rate = max(per_second - self.capacity - spare, 0.5)
        self.tokens = float(self.capacity)
        self._filled_s: float | None = None

    def refill(self, now_s: float) -> None:
        """Add what the time since the last call brought."""
        if self._filled_s is not None and now_s > self._filled_s:
            self.tokens = min(self.capacity, self.tokens + (now_s - self._filled_s) * self.rate)
        self._filled_s = now_s

    def wait_s(self) -> float:
        """Seconds until a whole token is there; 0: now."""
        # The tolerance keeps rounding from scheduling a timer that fires a hair too early, over and over.
        return 0.0 if self.tokens >= 1 - 1e-9 else (1 - self.tokens) / self.rate


@dataclass(slots=True)
class _Queued:
    payload_type: int
    send: Callable[[], None]
    cancelled: bool = False


@dataclass(slots=True)
class Ticket:
    """One request's place in the queue."""

    _entry: _Queued

    def cancel(self) -> None:
        """Leave the queue; nothing happens where the request is sent already."""
        self._entry.cancelled = True


@dataclass
class RequestLimiter:
    """Sends requests as the budget allows: by priority, in order within one, each payload type pausable."""

    clock: Clock
    per_second: int = 45
    historical_per_second: int = 4
    _queues: dict[Priority, deque[_Queued]] = field(default_factory=dict)
    _paused_until_s: dict[int, float] = field(default_factory=dict)
    _timer: Timer | None = None
    _stopped: bool = False
    _draining: bool = False

    def __post_init__(self) -> None:
        # One token of the second is the heartbeat's.
        self._general = Bucket(self.per_second, spare=1)
        self._historical = Bucket(self.historical_per_second)
        self._queues = {priority: deque() for priority in Priority}

    def submit(self, payload_type: int, send: Callable[[], None], *, first: bool = False) -> Ticket:
        """Call *send* once when the budget allows a request of *payload_type*; *first*: before others of its kind."""
        entry = _Queued(payload_type, send)
        if self._stopped:
            return Ticket(entry)
        queue = self._queues[_PRIORITIES.get(payload_type, Priority.OTHER)]
        if first:
            queue.appendleft(entry)
        else:
            queue.append(entry)
        self._drain()
        return Ticket(entry)

    def spend(self) -> None:
        """Count one message that does not wait: a heartbeat."""
        self._general.refill(self.clock.monotonic_s())
        self._general.tokens -= 1

    def pause(self, payload_type: int, seconds: float) -> None:
        """Send nothing of *payload_type* (0: nothing at all, but heartbeats) for that long, `MAX_PAUSE_S` at most."""
        until = self.clock.monotonic_s() + min(max(seconds, 0.0), MAX_PAUSE_S)
        self._paused_until_s[payload_type] = max(until, self._paused_until_s.get(payload_type, 0.0))
        if not self._stopped:
            self._drain()

    def stop(self) -> None:
        """The connection is gone: forget everything."""
        self._stopped = True
        for queue in self._queues.values():
            queue.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    @property
    def paused(self) -> bool:
        """Does something wait because the server asked for a pause?"""
        now = self.clock.monotonic_s()
        return self.waiting > 0 and any(until > now for until in self._paused_until_s.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for the budget."""
        return sum(not entry.cancelled for queue in self._queues.values() for entry in queue)

    def _drain(self) -> None:
        if self._draining:
            return  # what was just submitted is seen by the loop that is running
        self._draining = True
        try:
            self._send_what_may()
        finally:
            self._draining = False

    def _send_what_may(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        now = self.clock.monotonic_s()
        self._general.refill(now)
        self._historical.refill(now)
        wait: float | None = None
        for queue in self._queues.values():
            kept: list[_Queued] = []
            while queue:
                entry = queue.popleft()
                if entry.cancelled:
                    continue
                delay = self._delay(entry.payload_type, now)
                if delay > 0:
                    kept.append(entry)
                    wait = delay if wait is None else min(wait, delay)
                    if self._general.wait_s() > 0:
                        break  # nothing behind it may leave either
                    continue
                self._general.tokens -= 1
                if entry.payload_type in _HISTORICAL:
                    self._historical.tokens -= 1
                entry.send()
                if self._stopped:
                    return
            queue.extendleft(reversed(kept))
        if wait is not None:
            self._timer = self.clock.call_later(wait, self._drain)

    def _delay(self, payload_type: int, now: float) -> float:
        pause = max(self._paused_until_s.get(payload_type, 0.0), self._paused_until_s.get(0, 0.0)) - now
        wait = self._general.wait_s()
        if payload_type in _HISTORICAL:
            wait = max(wait, self._historical.wait_s())
        return max(pause, wait, 0.0)
