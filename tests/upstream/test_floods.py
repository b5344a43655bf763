"""A server that sends too much: events, texts, empty frames, unknown ids. The session lives, or ends the connection."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from twisted.logger import LogEvent, LogLevel

from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.frames import encode
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOAErrorRes,
    ProtoOASpotEvent,
    ProtoOASymbolChangedEvent,
    ProtoOASymbolsListRes,
)
from tickrelay.upstream.flood_guard import FRAME_BYTES, FRAMES, WINDOW_S, FloodGuard
from tickrelay.upstream.protocol import MAX_EVENT_BYTES, MAX_SPOT_TIMES
from tickrelay.upstream.symbol_values import MAX_SYMBOLS

ACCOUNT = 1001


def framed(message: Message | bytes, msg_id: str = "") -> bytes:
    """A message as bytes of the wire, or a serialized envelope."""
    frame = message if isinstance(message, bytes) else encode(message, msg_id)
    return struct.pack("!I", len(frame)) + frame


def stream(rig: Any, data: Callable[[int], bytes], per_s: int, seconds: float, reads_per_s: int = 20) -> None:
    """The server sends ``data(n)``, *per_s* times a second."""
    number = 0
    for _ in range(round(seconds * reads_per_s)):
        if rig.net.open:
            rig.connection.inject(b"".join(data(number + i) for i in range(per_s // reads_per_s)))
        number += per_s // reads_per_s
        rig.run(1 / reads_per_s, 1 / reads_per_s)


def test_changed_symbols_are_asked_for_once_a_second(rig: Any) -> None:
    """However many events announce them: one request at a time for all."""
    rig.go_live("EURUSD")
    asked = len(rig.sent("ProtoOASymbolByIdReq"))
    ids = [symbol.symbol_id for symbol in rig.listener.symbols][:5]
    event = ProtoOASymbolChangedEvent(ctidTraderAccountId=ACCOUNT, symbolId=ids)
    stream(rig, lambda _: framed(event), 5_000, 4)
    assert rig.state == "live"
    assert 4 <= len(rig.sent("ProtoOASymbolByIdReq")) - asked <= 6
    before = len(rig.sent("ProtoOASymbolByIdReq"))
    rig.run(3, 0.1)
    assert len(rig.sent("ProtoOASymbolByIdReq")) - before <= 1, "the last event is answered to, and then there is rest"


def test_invented_ids_are_bounded(rig: Any) -> None:
    """The list is asked for now and then; neither ids nor requests pile up."""
    rig.go_live("EURUSD")
    asked = len(rig.sent("ProtoOASymbolsListReq")), len(rig.sent("ProtoOASymbolByIdReq"))

    def event(number: int) -> bytes:
        ids = range(10_000 + 100 * number, 10_100 + 100 * number)
        return framed(ProtoOASymbolChangedEvent(ctidTraderAccountId=ACCOUNT, symbolId=ids))

    stream(rig, event, 5_000, 2)
    loader = rig.session._symbols
    assert len(loader._outdated) <= 2 * MAX_SYMBOLS
    assert len(rig.sent("ProtoOASymbolsListReq")) - asked[0] <= 1
    assert len(rig.sent("ProtoOASymbolByIdReq")) - asked[1] <= 1
    assert rig.state == "live"
    rig.run(40, 0.1)
    assert len(rig.sent("ProtoOASymbolsListReq")) - asked[0] == 2 and not loader._outdated


UNKNOWN = ProtoMessage(payloadType=9999, payload=b"x").SerializeToString()


@pytest.mark.parametrize(
    "frame",
    [
        framed(b""),
        framed(ProtoHeartbeatEvent()),
        framed(UNKNOWN),
        framed(ProtoOASymbolsListRes(ctidTraderAccountId=ACCOUNT), "7777"),
        framed(ProtoOAErrorRes(errorCode="NEW")),
    ],
    ids=["empty", "heartbeats", "unknown", "late answers", "errors"],
)
def test_too_many_frames_without_ticks_end_the_connection(rig: Any, frame: bytes) -> None:
    """As a protocol error, with backoff: each time later."""
    rig.go_live("EURUSD")
    errors = rig.counters.protocol_errors
    connects: list[float] = []
    for _ in range(6):
        connects.append(rig.clock.seconds())
        stream(rig, lambda _: frame, 20_000, 2.5)
        rig.until(lambda: rig.state == "live")
    assert rig.counters.protocol_errors >= errors + 6 and rig.counters.losses >= 6
    assert any("too much" in message for message in rig.messages)
    assert connects[-1] - connects[0] > 5 * 2.6, "the next connections waited"


@pytest.mark.parametrize("frame", [framed(b""), framed(ProtoHeartbeatEvent()), framed(UNKNOWN)])
def test_a_burst_is_no_flood(rig: Any, frame: bytes) -> None:
    """Several thousand at once, and several thousand a second."""
    rig.go_live("EURUSD")
    stream(rig, lambda _: frame, 5_000, 10)
    rig.connection.inject(frame * 8_000)
    rig.run(1)
    assert rig.counters.losses == 0 and rig.state == "live"


def test_ticks_and_answers_are_no_flood(rig: Any) -> None:
    """However many ticks there are; and the symbol list may be as long as a frame."""
    rig.go_live("EURUSD")
    spot = ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=rig.symbol_id("EURUSD"), bid=100_000, ask=100_010)
    stream(rig, lambda _: framed(spot), 40_000, 3)
    assert rig.counters.losses == 0 and rig.counters.spots >= 120_000


def test_times_of_unknown_ids_are_not_kept(rig: Any) -> None:
    """A server may invent them for ever."""
    rig.go_live("EURUSD")

    def spot(number: int) -> bytes:
        return framed(ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=10_000 + number, bid=1))

    most = 0
    for part in range(6):
        stream(rig, lambda number, part=part: spot(part * 40_000 + number), 40_000, 1)  # type: ignore[misc]
        most = max(most, len(rig.session._connection.link.spot_times))
    assert most <= MAX_SPOT_TIMES
    assert rig.state == "live"
    rig.run(30, 0.1)
    assert rig.state == "live" and not any(job.errors["upstream_watchdog"] for job in rig.service.jobs[1:])


def test_errors_are_logged_now_and_then(rig: Any, logged: list[LogEvent]) -> None:
    """A bounded number of lines a minute, then how many there were; clients are told nothing."""
    rig.go_live("EURUSD")
    statuses = len(rig.listener.statuses)
    before = len(logged)
    stream(rig, lambda n: framed(ProtoOAErrorRes(errorCode="NEW_CODE", description=f"number {n} " * 200)), 2_000, 5)
    lines = [event for event in logged[before:] if event.get("log_level", LogLevel.debug) >= LogLevel.info]
    assert len(lines) <= 12 and all(len(str(event.get("error", ""))) < 400 for event in lines)
    assert len(rig.listener.statuses) == statuses
    rig.run(60, 0.1)
    rig.connection.inject(framed(ProtoOAErrorRes(errorCode="NEW_CODE")))
    assert any(event.get("kind") == "errors" and event["count"] == 9_990 for event in logged)


def test_lost_accounts_change_the_status_a_few_times(rig: Any, logged: list[LogEvent]) -> None:
    """Authorised again three times, then a new connection, with backoff: not a status for each event."""
    rig.go_live("EURUSD")
    before = len(rig.listener.statuses), len(logged)
    stream(rig, lambda _: framed(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=ACCOUNT)), 2_000, 5)
    assert len(rig.listener.statuses) - before[0] < 40
    assert len(logged) - before[1] < 40


def test_long_texts_are_cut(rig: Any) -> None:
    """What clients are told of the server's reason is short, on one line, and has no secret, not even half of one."""
    rig.go_live("EURUSD")
    reason = "\x1b[31m\n" + "x" * 180 + " sim-token" * 50 + "\u202e" * 1000
    rig.connection.inject(framed(ProtoOAClientDisconnectEvent(reason=reason)))
    rig.until(lambda: rig.status == "disconnected")
    message = next(text for text in rig.messages if "xxx" in text)
    assert len(message) < 400 and message.isprintable()
    assert "sim-" not in message and "***" in message


def test_events_of_megabytes_are_not_opened(rig: Any, logged: list[LogEvent]) -> None:
    """They are counted, and too many of them are a flood."""
    rig.go_live("EURUSD")
    before, errors = len(logged), rig.counters.protocol_errors
    huge = framed(ProtoOAErrorRes(errorCode="NEW", description="x" * 5_000_000))
    for _ in range(3):
        rig.connection.inject(huge)
        rig.run(0.1)
    assert rig.state == "live" and rig.counters.protocol_errors == errors + 3
    assert len(logged) == before
    rig.connection.inject(huge)
    rig.connection.inject(huge)
    assert rig.state != "live"
    assert len(huge) > MAX_EVENT_BYTES


def test_the_guard_counts_frames_and_bytes() -> None:
    """Below the limit in each window there may be any number."""
    guard = FloodGuard(0.0)
    assert not any(guard.exceeded(0, n * WINDOW_S / FRAMES) for n in range(1, 10 * FRAMES))
    guard = FloodGuard(0.0)
    assert [guard.exceeded(0, 1.0) for _ in range(FRAMES)].index(True) == FRAMES - 1
    guard = FloodGuard(0.0)
    assert [guard.exceeded(9 * FRAME_BYTES, 1.0) for _ in range(FRAMES)].index(True) == FRAMES / 10 - 1
