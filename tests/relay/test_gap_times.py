"""The times of a gap when the system's clock is set."""

from twisted.internet.task import Clock

from tests.support.relay import Relay, TestClock


def test_a_clock_that_is_set_back_makes_no_gap_that_ends_before_it_begins(clock: Clock) -> None:
    """During the outage NTP, or an operator, takes an hour back."""
    relay = Relay(clock)
    set_back_s = 0
    relay.hub._clock = TestClock(clock, lambda: 1_767_225_600 + clock.seconds() - set_back_s)
    client = relay.client("EURUSD")
    client.subscriber.features = frozenset({"gap"})
    relay.spot("EURUSD", 108_000)
    relay.turn(1.0)
    relay.hub.feed_lost("upstream-disconnect", None)
    set_back_s = 3600
    relay.spot("EURUSD", 108_100)
    relay.turn(1.0)
    (gap,) = [message for message in client.take() if message["type"] == "gap"]
    assert gap["fromMs"] == gap["toMs"] == 1_767_225_600_000
