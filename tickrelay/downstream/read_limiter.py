"""How fast one client is read: a limit of messages, from the settings, and a higher one of frames of any kind."""

from tickrelay.config.settings import ClientSettings

FRAMES_A_MESSAGE = 10.0
"""Frames per message in the limits: pings, pongs and fragments cost less than a message, but not nothing."""


class ReadLimiter:
    """Two token buckets, of messages and of frames. *now_s*: seconds of a monotonic clock."""

    __slots__ = ("_at_s", "_frames", "_messages", "_settings")

    def __init__(self, settings: ClientSettings, now_s: float) -> None:
        self._settings = settings
        self._messages = float(settings.messages_burst)
        self._frames = self._messages * FRAMES_A_MESSAGE
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds for which to stop reading; 0: read the next frame now."""
        settings = self._settings
        rate, burst = settings.messages_per_s, float(settings.messages_burst)
        gone_s, self._at_s = now_s - self._at_s, now_s
        self._messages = min(self._messages + gone_s * rate, burst)
        self._frames = min(self._frames + gone_s * rate * FRAMES_A_MESSAGE, burst * FRAMES_A_MESSAGE)
        if self._messages >= 1.0 and self._frames >= 1.0:
            return 0.0
        return max((1.0 - self._messages) / rate, (1.0 - self._frames) / rate / FRAMES_A_MESSAGE)

    def frame(self) -> None:
        """Take a frame that was read."""
        self._frames -= 1.0

    def message(self) -> None:
        """Take a message that was read."""
        self._messages -= 1.0
