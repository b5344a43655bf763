"""How fast one client may be read: messages by the settings, and frames besides, which need not be messages."""

from tickrelay.config.settings import ClientSettings

FRAMES_A_MESSAGE = 10.0
"""Pings, pongs and fragments are cheap, but not free: so many are read in the time of one message."""


class ReadLimiter:
    """Two token buckets. *now_s* is of a monotonic clock."""

    __slots__ = ("_at_s", "_frames", "_messages", "_settings")

    def __init__(self, settings: ClientSettings, now_s: float) -> None:
        self._settings = settings
        self._messages = float(settings.messages_burst)
        self._frames = self._messages * FRAMES_A_MESSAGE
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long not to read; 0: read on."""
        settings = self._settings
        rate, burst = settings.messages_per_s, float(settings.messages_burst)
        gone_s, self._at_s = now_s - self._at_s, now_s
        self._messages = min(self._messages + gone_s * rate, burst)
        self._frames = min(self._frames + gone_s * rate * FRAMES_A_MESSAGE, burst * FRAMES_A_MESSAGE)
        if self._messages >= 1.0 and self._frames >= 1.0:
            return 0.0
        return max((1.0 - self._messages) / rate, (1.0 - self._frames) / rate / FRAMES_A_MESSAGE)

    def frame(self) -> None:
        """A frame was read."""
        self._frames -= 1.0

    def message(self, cost: float) -> None:
        """A message was handled that counts for *cost*."""
        self._messages -= cost
