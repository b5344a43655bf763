"""Clients that asked for a lower rate: one timer a rate, however many clients share it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickrelay.relay.fanout import Fanout
    from tickrelay.relay.outbox import Outbox


class Conflator:
    """Sends the newest tick of each paced channel to its clients *rate* times a second; stops when it has none."""

    def __init__(
        self, fanout: "Fanout", rate: float, call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self.outboxes: dict[Outbox, None] = {}
        self._fanout = fanout
        self._rate = rate
        self._call_later = call_later
        self._running = False

    def add(self, outbox: "Outbox") -> None:
        """Serve this client too."""
        self.outboxes[outbox] = None
        if not self._running:
            self._running = True
            self._call_later(1.0 / self._rate, self._beat)

    def _beat(self) -> None:
        for outbox in list(self.outboxes):
            mine = [channel for channel, rate in outbox.channels.items() if rate == self._rate]
            if not mine:
                del self.outboxes[outbox]
            elif not (outbox.blocked or outbox.paused):
                frames = self._fanout.newest(outbox, mine)
                if frames:
                    outbox.write(frames)
        self._running = bool(self.outboxes)
        if self._running:
            self._call_later(1.0 / self._rate, self._beat)
