"""The values of the trade: symbols, ticks, and prices as integers.

cTrader sends every price as an integer of 1/100000, whatever the symbol's digits; so does everything inside
tickrelay. A price becomes a decimal only where it is printed.
"""

from dataclasses import dataclass

from tickrelay.model.schedule import ALWAYS_OPEN, Schedule

PRICE_SCALE = 100_000
"""Price integers per unit of price, for every symbol (Open API documentation)."""

PRICE_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """What is known of a tradable instrument, resolved by name anew in each session (ids belong to a broker server).

    ``digits``: decimals shown (0 to 5); ``pip_position``: one pip is ``10 ** -pip_position``.
    """

    symbol_id: int
    name: str
    digits: int = PRICE_DIGITS
    pip_position: int = 4
    description: str = ""
    category: str = ""
    asset_class: str = ""
    base: str = ""
    quote: str = ""
    enabled: bool = True
    schedule: Schedule = ALWAYS_OPEN


@dataclass(slots=True)
class Tick:
    """A quote of one symbol after forward-fill: both sides are there, in 1/100000.

    ``timestamp_ms`` is Unix milliseconds on receipt, ``source_ms`` the server's own (0: it sent none), ``seq``
    counts the symbol's ticks in this run from 1.
    """

    symbol: Symbol
    bid: int
    ask: int
    timestamp_ms: int
    source_ms: int
    seq: int


def rounded(price: int, digits: int) -> int:
    """*price* (1/100000) in units of the symbol's last digit, halves away from zero: 108567 at 4 digits is 10857."""
    unit: int = 10 ** (PRICE_DIGITS - digits)
    return (price + unit // 2) // unit if price >= 0 else -((-price + unit // 2) // unit)


def decimal(units: int, digits: int) -> str:
    """*units* of the last digit as the shortest plain decimal: ``decimal(3, 5)`` is ``0.00003``, never ``3e-05``."""
    if not digits:
        return str(units)
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**digits)
    return f"{sign}{whole}.{fraction:0{digits}d}".rstrip("0").rstrip(".")
