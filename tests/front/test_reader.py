"""Heads are found however TCP cut them, and collecting one costs the same in parts."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.front.test_head import request
from tickrelay.front.head import MAX_HEAD_BYTES, Fault, Head
from tickrelay.front.reader import HeadReader

SOUND = request(b"Origin: https://app.example.com", b"X-Forwarded-For: 192.0.2.1")


def taken(data: bytes, cuts: list[int]) -> list[Head | Fault]:
    """The heads in *data*, which arrives cut at these places; nothing is read after a fault."""
    reader, found = HeadReader(), []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        reader.feed(data[start:end])
        while (head := reader.take()) is not None:
            found.append(head)
            if isinstance(head, Fault):
                return found
    return found


def test_a_head_may_be_cut_at_every_byte() -> None:
    """One cut anywhere, and a cut everywhere."""
    expected = taken(SOUND * 2, [])
    assert [isinstance(head, Head) for head in expected] == [True, True]
    for cut in range(len(SOUND) * 2):
        assert taken(SOUND * 2, [cut]) == expected
    assert taken(SOUND * 2, list(range(len(SOUND) * 2))) == expected


@given(
    st.lists(st.sampled_from([SOUND, request(), b"GET / HTTP/1.0\r\n\r\n", b"x\r\n\r\n", b"\r\n", b"\r", b"a" * 9000])),
    st.lists(st.integers(0, 50_000), max_size=30),
)
def test_any_cut_gives_the_same_heads(parts: list[bytes], cuts: list[int]) -> None:
    """And the same fault, whatever it is."""
    data = b"".join(parts)
    assert taken(data, cuts) == taken(data, [])


def test_a_head_without_end_has_a_limit() -> None:
    """It is refused as soon as it is over, and the one whose first line has no end as a line that is too long."""
    for filler, status in ((b"a: b\r\n", 431), (b"a", 414)):
        reader = HeadReader()
        fed, fault = 0, None
        while fault is None:
            reader.feed(filler)
            fed += len(filler)
            fault = reader.take()
        assert isinstance(fault, Fault) and fault.status == status
        assert MAX_HEAD_BYTES < fed <= MAX_HEAD_BYTES + len(filler)


class CountingBytes(bytearray):
    """Counts the bytes that are searched."""

    searched = 0

    def find(self, sub: bytes, start: int = 0, *end: int) -> int:  # type: ignore[override]
        """As of bytearray."""
        CountingBytes.searched += len(self) - start
        return super().find(sub, start, *end)


def test_one_byte_at_a_time_costs_no_more() -> None:
    """Each byte is searched a few times, not once for each that follows."""
    reader = HeadReader()
    reader._data = CountingBytes()
    for _ in range(MAX_HEAD_BYTES):
        reader.feed(b"a")
        assert reader.take() is None
    assert CountingBytes.searched < 5 * MAX_HEAD_BYTES


def test_what_follows_a_head_is_kept() -> None:
    """For the protocol that the connection is handed to."""
    reader = HeadReader()
    reader.feed(SOUND + b"\x81\x80abcd")
    assert isinstance(reader.take(), Head)
    assert not reader.is_empty
    assert reader.take_rest() == b"\x81\x80abcd"
    assert reader.is_empty and reader.take() is None
