"""Bytes that the session cannot or must not use: broken frames, cut frames, spots of another account or connection."""

import struct
from collections.abc import Callable

import pytest

from tests.support.frames import length_prefixed
from tests.support.rig import Rig
from tickrelay.openapi.frames import encode
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent


@pytest.mark.parametrize(
    "garbage",
    [
        length_prefixed(b"\xff\xff\xff\xff"),
        length_prefixed(b"GET / HTTP/1.1\r\n"),
        length_prefixed(b"\x12\x00"),
        length_prefixed(b"\x08\xd3\x10\x12\x03\xff\xff\xff"),
        length_prefixed(b"\x08\xde\x10\x12\x02\x1a\xff"),
        struct.pack("!I", 15_000_001),
        struct.pack("!I", 2**31),
        b"\xff\xff\xff\xff",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=["no envelope", "text", "no type", "bad spot", "bad error", "too long", "2^31", "2^32-1", "http"],
)
def test_garbage_recycles_the_connection(rig: Rig, garbage: bytes) -> None:
    """Bytes that cannot be parsed are counted; the connection is reset at once and made anew; nothing is buffered."""
    rig.go_live("EURUSD")
    rig.connection.inject(garbage)
    assert rig.counters.protocol_errors == 1
    assert rig.status == "disconnected"
    assert "garbage" in rig.message
    rig.recovered("EURUSD")


def test_harmless_oddities_are_tolerated(rig: Rig) -> None:
    """Empty frames, unknown payload types and unknown fields are counted at most."""
    rig.go_live("EURUSD")
    rig.connection.inject(length_prefixed(b""))
    rig.connection.inject(length_prefixed(b"\x08\x8d\x11\x12\x01\x00"))  # 2189, a type of another release
    rig.connection.inject(length_prefixed(b"\x08\xff\xff\x03\x1a\x01x"))
    rig.connection.inject(length_prefixed(b"\x08\x33\xc0\x3e\x01"))
    rig.run(1)
    assert rig.counters.unknown_types == 2 and rig.counters.protocol_errors == 1
    assert rig.state == "live" and rig.counters.losses == 0


def test_a_frame_cut_anywhere_leaves_nothing_behind(make_rig: Callable[..., Rig]) -> None:
    """A connection lost in the middle of a frame: its bytes are dropped, the next connection is not affected."""
    spot = length_prefixed(encode(ProtoOASpotEvent(ctidTraderAccountId=1001, symbolId=1, bid=108_000, ask=108_010)))
    rig = make_rig(simulator={"symbols": ("EURUSD",)})
    rig.go_live("EURUSD")
    for size in range(1, len(spot)):
        rig.listener.spots.clear()
        rig.dependencies.active_faults.silent_ticks = True
        rig.connection.inject(spot[:size])
        assert not rig.listener.spots
        (rig.connection.reset if size % 2 else rig.connection.finish)()
        rig.until(lambda: rig.state == "live", 100)
        rig.connection.inject(spot)
        assert rig.listener.spots == [(1, 108_000, 108_010, 0)]
        rig.run(31, 1)  # stable: the next wait is a short one
    assert rig.net.most_open == 1 and rig.counters.protocol_errors == 0


def test_half_a_frame_then_silence(rig: Rig) -> None:
    """An incomplete frame does not count as a sign of life: the link clock ends the connection."""
    rig.go_live("EURUSD")
    rig.connection.inject(b"\x00\x00\x00\x40\x08")
    rig.connection.black_hole = True
    rig.until(lambda: rig.status == "disconnected", 90, 0.1)
    rig.recovered("EURUSD")


def test_events_of_a_dead_connection_change_nothing(rig: Rig) -> None:
    """Bytes that arrive after the session has aborted the connection are not parsed."""
    rig.go_live("EURUSD")
    old = rig.connection.client.protocol
    old.abort()
    spots = len(rig.listener.spots)
    old.dataReceived(length_prefixed(encode(ProtoOASpotEvent(ctidTraderAccountId=1001, symbolId=1, bid=1, ask=2))))
    assert len(rig.listener.spots) == spots


def test_spots_of_another_account_are_dropped(rig: Rig) -> None:
    """Only our account's spots are relayed."""
    rig.go_live("EURUSD")
    spots = len(rig.listener.spots)
    rig.connection.inject(length_prefixed(encode(ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=1, ask=2))))
    assert len(rig.listener.spots) == spots and rig.counters.foreign_spots == 1
