"""Integer prices as text, cached: quotes return to the same levels, and a lookup is faster than formatting."""

from tickrelay.model.ticks import PRICE_DIGITS, decimal, rounded

_MAX_KEPT = 1 << 13
MAX_PRICE = 2**53 - 1
"""The largest integer that a JSON reader keeps exact, and far below what Protobuf's signed integers hold. cTrader's
unsigned ones hold more: a price beyond is nonsense, and shown as this one by every encoding."""


class Decimals(dict[int, bytes]):
    """``decimals[units]`` is *units* of the last digit as the shortest plain decimal in ASCII; made when missed."""

    def __init__(self, digits: int) -> None:
        super().__init__()
        self._digits = digits
        self._scale = 10**digits
        self._format = b"%%d.%%0%dd" % digits

    def print(self, units: int) -> bytes:
        """The same, without caching it."""
        if units < 0 or not self._digits:
            return decimal(units, self._digits).encode("ascii")
        text: bytes = (self._format % divmod(units, self._scale)).rstrip(b"0")
        return text[:-1] if text.endswith(b".") else text

    def __missing__(self, units: int) -> bytes:
        if len(self) >= _MAX_KEPT:
            self.clear()
        text = self[units] = self.print(units)
        return text


class Prices(dict[int, tuple[int, bytes]]):
    """``prices[price]`` is a price (1/100000) in units of the symbol's last digit, and as text; made when missed."""

    def __init__(self, digits: int) -> None:
        super().__init__()
        self._digits = digits
        self.decimals = Decimals(digits)
        """For spreads, which are differences of rounded prices: so a spread is the difference of the prices shown."""

    def __missing__(self, price: int) -> tuple[int, bytes]:
        if len(self) >= _MAX_KEPT:
            self.clear()
        shown = price if price < MAX_PRICE else MAX_PRICE  # `min` takes a tenth of the time of a new price
        units = shown if self._digits == PRICE_DIGITS else rounded(shown, self._digits)
        found = self[price] = (units, self.decimals.print(units))
        return found


BY_DIGITS = tuple(Prices(digits) for digits in range(PRICE_DIGITS + 1))
"""By the symbol's digits; shared by all encodings."""
