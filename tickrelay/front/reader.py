"""Collects the bytes of one request's head after the other. Pure: no socket, no clock."""

from tickrelay.front.head import MAX_HEAD_BYTES, Fault, Head, parse, too_large

_END = b"\r\n\r\n"


class HeadReader:
    """Finds each head, however it was cut into parts: each byte is searched once.

    Bounded by its user, who stops feeding it while heads are not taken (`is_full`).
    """

    __slots__ = ("_data", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was received, or all of it was taken."""
        return not self._data

    @property
    def is_full(self) -> bool:
        """It holds more than any head may have."""
        return len(self._data) > MAX_HEAD_BYTES

    def feed(self, data: bytes) -> None:
        """Bytes were received."""
        self._data += data

    def take(self) -> Head | Fault | None:
        """The next head; None: its end was not received yet."""
        end = self._data.find(_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._data) - len(_END) + 1)
            return too_large(self._data) if self.is_full else None
        end += len(_END)
        raw = bytes(self._data[:end])
        del self._data[:end]
        self._searched = 0
        return parse(raw)

    def take_rest(self) -> bytes:
        """All that was received after the last head."""
        rest = bytes(self._data)
        self._data.clear()
        self._searched = 0
        return rest
