"""A distribution in plain integers."""

from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.histogram import Histogram


def test_a_bound_counts_what_is_not_above_it() -> None:
    """The value of a bound itself belongs to it, as in Prometheus' ``le``."""
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.2, 1.0, 7.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == 8.35


@given(st.lists(st.floats(0, 1e6)))
def test_nothing_is_counted_twice_or_left_out(values: list[float]) -> None:
    """The counts add up to the number of observations, and each bound's to those at or below it."""
    histogram = Histogram((0.01, 0.5, 3.0, 1000.0))
    for value in values:
        histogram.observe(value)
    assert sum(histogram.counts) == len(values)
    for i, bound in enumerate(histogram.bounds):
        assert sum(histogram.counts[: i + 1]) == sum(value <= bound for value in values)
