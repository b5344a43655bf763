"""A delay that keeps the order of what passes through it."""

from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tickrelay.simulator.delay_line import DelayLine


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 1.0, 3.0]), st.floats(0, 2)), max_size=30))
def test_nothing_overtakes_and_nothing_is_lost(sent: list[tuple[float, float]]) -> None:
    """Whatever the delays are and however they change, all comes out, in order, and not before its time."""
    clock = Clock()
    out: list[tuple[float, bytes]] = []
    line = DelayLine(clock, lambda batch: out.append((clock.seconds(), batch[0])))
    earliest = []
    for number, (delay_s, pause_s) in enumerate(sent):
        line.send([bytes([number])], delay_s)
        earliest.append(clock.seconds() + delay_s)
        clock.advance(pause_s)
    clock.advance(10)
    assert [item for _, item in out] == [bytes([number]) for number in range(len(sent))]
    assert all(when >= least - 1e-9 for (when, _), least in zip(out, earliest, strict=True))
    assert line.rest_s == 0


def test_without_a_delay_nothing_waits() -> None:
    """No timer is started."""
    clock = Clock()
    out: list[list[bytes]] = []
    DelayLine(clock, out.append).send([b"x"], 0.0)
    assert (out, clock.getDelayedCalls()) == ([[b"x"]], [])


def test_drop() -> None:
    """What waits is discarded."""
    clock = Clock()
    out: list[list[bytes]] = []
    line = DelayLine(clock, out.append)
    line.send([b"x"], 1.0)
    line.drop()
    assert (out, clock.getDelayedCalls()) == ([], [])
