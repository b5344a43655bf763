"""Frames of replayed ticks: made once, kept for a while, never more than the bound."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tests.support.relay import EPOCH
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.relay import replay_cache
from tickrelay.relay.channel import Channel
from tickrelay.relay.replay_cache import KEPT_S, ReplayCache
from tickrelay.wire.encodings import Encoding, make_encodings
from tickrelay.wire.v1_json import V1Json


class Counting(V1Json):
    """Counts the frames that it makes for replays."""

    made = 0

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame."""
        self.made += 1
        return super().newest(tick, conflated)


@pytest.fixture
def encoding() -> Counting:
    """An encoding that counts."""
    return Counting(EPOCH)


def channel_of(ticks: int, length: int = 1_000, index: int = 0) -> Channel:
    """A channel with a history of *length* that had so many ticks."""
    channel = Channel(Symbol(symbol_id=index + 1, name=f"S{index}"), index)
    channel.keep_history(length)
    tick_on(channel, ticks)
    return channel


def tick_on(channel: Channel, ticks: int) -> None:
    """So many more ticks, all of them sent."""
    assert channel.history is not None
    for _ in range(ticks):
        channel.seq = channel.sent_seq = seq = channel.seq + 1
        channel.history.append(Tick(channel.symbol, 100_000 + seq, 100_010 + seq, 1_767_225_600_000 + seq, 0, seq))


def after(channel: Channel, seq: int) -> Sequence[Tick]:
    """What a client that stands at *seq* missed."""
    missed = channel.since(seq, 0, 1_000_000)
    assert missed is not None
    return missed


@pytest.mark.parametrize("name", ["v1_json", "v1_protobuf"])
def test_frames_are_those_of_a_client_that_gets_every_tick(name: str) -> None:
    """In both encodings, the first time and each later one."""
    encoding: Encoding = getattr(make_encodings(EPOCH), name)
    frames, channel = ReplayCache(Clock().seconds), channel_of(5)
    expected = [encoding.newest(tick, 0) for tick in after(channel, 2)]
    assert [frames.of(encoding, channel, after(channel, 2)) for _ in range(2)] == [expected] * 2


def test_many_clients_at_similar_positions_cost_one_frame_a_tick(encoding: Counting) -> None:
    """From the same place, from others before and behind it, and with ticks that came in between."""
    frames, channel = ReplayCache(Clock().seconds), channel_of(300)
    for client in range(200):
        missed = after(channel, 100 + client * 7 % 90)
        for start in range(0, len(missed), 50):
            frames.of(encoding, channel, missed[start : start + 50])
        if client % 10 == 0:
            tick_on(channel, 1)
    assert encoding.made == 200 + 20
    assert len(frames) == encoding.made


def test_encodings_and_channels_do_not_share(encoding: Counting) -> None:
    """Each pair of them has frames of its own."""
    frames, one, other = ReplayCache(Clock().seconds), channel_of(3), channel_of(3, index=1)
    protobuf = make_encodings(EPOCH).v1_protobuf
    assert len({frames.of(e, c, after(c, 2))[0] for e in (encoding, protobuf) for c in (one, other)}) == 4
    assert len(frames) == 4


def test_frames_that_nobody_needs_are_dropped(encoding: Counting) -> None:
    """Some seconds after their last use, channel by channel; then a client pays for them again."""
    clock = Clock()
    frames, one, other = ReplayCache(clock.seconds), channel_of(10), channel_of(10, index=1)
    frames.of(encoding, one, after(one, 0))
    frames.of(encoding, other, after(other, 0))
    for _ in range(int(KEPT_S) + 1):
        clock.advance(1)
        frames.of(encoding, one, after(one, 5))
        frames.sweep()
    assert (encoding.made, len(frames)) == (20, 10)
    clock.advance(KEPT_S + 1)
    frames.sweep()
    assert len(frames) == 0
    frames.of(encoding, one, after(one, 0))
    assert encoding.made == 30


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(1, 20)), max_size=60))
def test_no_more_is_kept_than_the_history_has_and_than_all_may(actions: list[tuple[int, int, int]]) -> None:
    """Whatever is replayed in whatever order, and however old the ticks of a long replay are by now."""
    most_of_one, most, step = 20, 30, 5
    encoding = make_encodings(EPOCH).v1_json
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay_cache, "MOST_KEPT", most)
        frames = ReplayCache(Clock().seconds)
        channels = [channel_of(1, most_of_one, index) for index in range(3)]
        old = [list(after(channel, 0)) for channel in channels]
        for index, ticks, missed in actions:
            channel = channels[index]
            tick_on(channel, ticks)
            replay = list(after(channel, max(channel.seq - missed, channel.seq - most_of_one, 0)))
            for run in (replay, old[index]):
                for start in range(0, len(run), step):
                    some = run[start : start + step]
                    assert frames.of(encoding, channel, some) == [encoding.newest(tick, 0) for tick in some]
                    assert len(frames) <= most
            old[index] = replay
            assert all(len(each.frames) <= most_of_one + step for each in frames._kept.values())
            assert len(frames) == sum(len(each.frames) for each in frames._kept.values())
