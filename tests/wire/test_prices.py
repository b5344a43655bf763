"""Prices as text."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.ticks import decimal
from tickrelay.wire.prices import BY_DIGITS, Decimals, Prices


@given(st.integers(-(2**60), 2**60), st.integers(0, 5))
def test_the_fast_way_prints_what_the_plain_way_prints(value: int, digits: int) -> None:
    """Looked up or not, a price is the exact shortest plain decimal."""
    decimals = BY_DIGITS[digits].decimals
    for text in (decimals[value].decode(), decimals[value].decode()):
        assert text == decimal(value, digits)
        assert Decimal(text) == Decimal(value).scaleb(-digits)
        assert "e" not in text and not (("." in text) and text.endswith(("0", ".")))
        json.loads(text)


@pytest.mark.parametrize(
    ("bid", "ask", "digits", "expected"),
    [
        (108567, 108570, 5, (108567, 108570)),
        (108567, 108574, 4, (10857, 10857)),
        (15012345, 15012450, 3, (150123, 150125)),
        (3815400000, 3816400000, 0, (38154, 38164)),
        (-37_63000, -37_62000, 2, (-3763, -3762)),
        (150050, 150150, 3, (1501, 1502)),
    ],
)
def test_both_sides_are_rounded_to_the_symbols_digits(
    bid: int, ask: int, digits: int, expected: tuple[int, int]
) -> None:
    """Rounding happens on integers, halves away from zero, and the spread is the difference of what is shown."""
    prices = BY_DIGITS[digits]
    assert (prices[bid][0], prices[ask][0]) == expected
    assert [prices[price][1] for price in (bid, ask)] == [decimal(units, digits).encode() for units in expected]


def test_what_is_kept_is_bounded() -> None:
    """Prices that never come back do not fill the memory."""
    decimals, prices = Decimals(5), Prices(4)
    for value in range(20_000):
        assert decimals[value] and prices[value]
    assert len(decimals) <= 8192 and len(prices) <= 8192
