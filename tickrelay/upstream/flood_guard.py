"""FloodGuard: how much a server may send that is neither a tick nor an answer."""

FRAMES, WINDOW_S = 20_000, 2.0
"""So many frames in less than so many seconds are too many. A broker that changes all its symbols announces each of
them, thousands at once."""

FRAME_BYTES = 1024
"""Each so many bytes count as another frame."""


class FloodGuard:
    """Of one connection; times are monotonic seconds. Not asked about ticks."""

    def __init__(self, now_s: float) -> None:
        self._frames = 0
        self._since_s = now_s

    def exceeded(self, size: int, now_s: float) -> bool:
        """Count a frame of *size* bytes; True: there were too many."""
        self._frames += 1 + size // FRAME_BYTES
        if self._frames < FRAMES:
            return False
        took_s = now_s - self._since_s
        self._frames, self._since_s = 0, now_s
        return took_s < WINDOW_S
