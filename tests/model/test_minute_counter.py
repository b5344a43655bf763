"""A counter that begins anew each minute."""

from twisted.internet.task import Clock

from tickrelay.model.minute_counter import WINDOW_S, MinuteCounter


def test_counts_are_those_of_the_present_minute() -> None:
    """By kind; the counts of a minute that is over are returned once."""
    clock = Clock()
    counter: MinuteCounter[str] = MinuteCounter(clock.seconds)
    assert counter.ended() == {}
    assert [counter.add("a"), counter.add("a"), counter.add("b")] == [1, 2, 1]
    clock.advance(WINDOW_S - 0.1)
    assert counter.ended() == {} and counter.add("a") == 3 and len(counter) == 2
    clock.advance(0.2)
    assert counter.ended() == {"a": 3, "b": 1}
    assert counter.ended() == {} and len(counter) == 0
    assert counter.add("a") == 1


def test_a_minute_begins_when_it_is_asked_for() -> None:
    """After a quiet hour the next minute is a whole one."""
    clock = Clock()
    counter: MinuteCounter[str] = MinuteCounter(clock.seconds)
    counter.ended()
    clock.advance(3600)
    counter.ended()
    counter.add("a")
    clock.advance(WINDOW_S - 0.1)
    assert counter.ended() == {}
