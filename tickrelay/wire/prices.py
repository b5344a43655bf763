"""Integer prices as text, fast: what was printed lately is looked up, since quotes come back to the same levels."""

from tickrelay.ticks import PRICE_DIGITS, decimal, rounded

_MAX_KEPT = 1 << 13


class Decimals(dict[int, bytes]):
    """``decimals[units]`` is *units* of the last digit as the shortest plain decimal in ASCII; made when missed."""

    def __init__(self, digits: int) -> None:
        super().__init__()
        self._digits = digits
        self._scale = 10**digits
        self._format = b"%%d.%%0%dd" % digits

    def __missing__(self, units: int) -> bytes:
        if len(self) >= _MAX_KEPT:
            self.clear()
        if units >= 0 and self._digits:
            text: bytes = (self._format % divmod(units, self._scale)).rstrip(b"0").rstrip(b".")
        else:
            text = decimal(units, self._digits).encode("ascii")
        self[units] = text
        return text


BY_DIGITS = tuple(Decimals(digits) for digits in range(PRICE_DIGITS + 1))
"""Shared by all encodings; a pure function's memory."""


def units(bid: int, ask: int, digits: int) -> tuple[int, int]:
    """Both sides (1/100000) in units of the symbol's last digit; the spread is their difference."""
    if digits == PRICE_DIGITS:
        return bid, ask
    return rounded(bid, digits), rounded(ask, digits)
