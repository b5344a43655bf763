"""Whatever became of a segment's file: what was readable before the damage is played, and the log has one line."""

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from twisted.logger import LogEvent

from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent, ProtoOASymbolsListRes
from tickrelay.openapi.model_pb2 import ProtoOALightSymbol
from tickrelay.recording import player
from tickrelay.recording.format import GAP, header_line, record_line
from tickrelay.recording.player import Player, records

START_S = 1_763_900_000.0
FIRST = "20251123T120000.000000Z.jsonl.gz"
SECOND = "20251123T130000.000000Z.jsonl.gz"
SPOTS = 400


def segment(first_bid: int) -> bytes:
    """A segment with the symbols and `SPOTS` spot events, uncompressed."""
    listed = ProtoOASymbolsListRes(symbol=[ProtoOALightSymbol(symbolId=1, symbolName="EURUSD")])
    lines = [header_line(START_S), record_line(frames.encode(listed), START_S)[1]]
    for bid in range(first_bid, first_bid + SPOTS):
        event = ProtoOASpotEvent(symbolId=1, bid=bid, ask=bid + 3)
        lines.append(record_line(frames.encode(event), START_S + bid)[1])
    return b"".join(lines)


WHOLE = gzip.compress(segment(1))
LATER = gzip.compress(segment(10_001))


def corrupted(chance: random.Random) -> bytes:
    """The whole segment with one damage, of a seed."""
    data = bytearray(WHOLE)
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            del data[at:]
        case 2:
            data[at : at + chance.randrange(1, 60)] = chance.randbytes(chance.randrange(60))
        case 3:
            data += chance.randbytes(chance.randrange(1, 300))
        case 4:
            data[-8 + chance.randrange(8)] ^= 0xFF
        case _:
            plain = bytearray(segment(1))
            at = chance.randrange(len(plain))
            plain[at : at + 3] = chance.randbytes(chance.randrange(6))
            data = bytearray(gzip.compress(plain))
    return bytes(data)


def play(directory: Path) -> tuple[list[int], list[str]]:
    """The bids of what can be read of a recording, and each damage."""
    damaged: list[str] = []
    bids = []
    for record in records(directory, damaged.append):
        if record.frame is not None and record.type_name == "ProtoOASpotEvent":
            try:
                bids.append(ProtoOASpotEvent.FromString(frames.open_envelope(record.frame).payload).bid)
            except (frames.FrameError, DecodeError):
                continue
    return bids, damaged


def check(directory: Path, data: bytes) -> None:
    """Play *data* and a whole segment after it, by record and as the simulator does."""
    (directory / FIRST).write_bytes(data)
    (directory / SECOND).write_bytes(LATER)
    bids, damaged = play(directory)
    assert len(damaged) <= 1
    assert bids[-SPOTS:] == list(range(10_001, 10_001 + SPOTS)), "the next segment is whole"
    if damaged:
        assert damaged[0].startswith(str(directory / FIRST))
        assert "\n" not in damaged[0]
    played = Player(directory)
    played.subscribed(0.0, 1.0)
    for _ in range(2 * SPOTS):
        if played.ended:
            break
        played.advance(played.next_s + 1.0)
    assert played.ended
    assert played.last[1].bid == 10_000 + SPOTS


@pytest.mark.parametrize("block", range(8))
def test_any_corruption_ends_the_segment_and_nothing_else(tmp_path: Path, block: int) -> None:
    """Flips, cuts, splices, garbage behind, wrong checksums, and damaged lines: 400 of them, by seed."""
    for seed in range(50 * block, 50 * block + 50):
        check(tmp_path, corrupted(random.Random(seed)))


@example(at=11, removed=0, put=b"\x80", packed=True)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(WHOLE)),
    removed=st.integers(0, 200),
    put=st.binary(max_size=200),
    packed=st.booleans(),
)
def test_any_splice_ends_the_segment_and_nothing_else(
    tmp_path: Path, at: int, removed: int, put: bytes, packed: bool
) -> None:
    """Anywhere in the compressed file, or in what was compressed."""
    data = WHOLE if not packed else segment(1)
    data = data[:at] + put + data[at + removed :]
    check(tmp_path, gzip.compress(data) if packed else data)


def test_a_segment_that_lost_its_symbols_is_passed_over(tmp_path: Path) -> None:
    """Ticks that nobody can name are skipped, up to the next segment, which begins with the symbols again."""
    header, _, *ticks = segment(1).splitlines(keepends=True)
    check(tmp_path, gzip.compress(b"".join([header, *ticks])))


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_what_was_readable_before_a_cut_is_played(tmp_path: Path, keep: float) -> None:
    """A truncated segment gives its records up to the cut, in order."""
    (tmp_path / FIRST).write_bytes(WHOLE[: int(len(WHOLE) * keep)])
    bids, damaged = play(tmp_path)
    assert bids == list(range(1, len(bids) + 1))
    assert len(bids) > SPOTS * (keep - 0.25)
    assert len(damaged) == 1


def test_garbage_behind_a_whole_segment_loses_nothing(tmp_path: Path) -> None:
    """Every record is played, the damage is reported."""
    (tmp_path / FIRST).write_bytes(WHOLE + b"garbage")
    bids, damaged = play(tmp_path)
    assert bids == list(range(1, SPOTS + 1))
    assert len(damaged) == 1


def test_a_bomb_of_one_line_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that expands without end is read up to the longest line there can be."""
    monkeypatch.setattr(player, "MAX_LINE_BYTES", 100_000)
    (tmp_path / FIRST).write_bytes(gzip.compress(segment(1) + b" " * 50_000_000))
    bids, (damage,) = play(tmp_path)
    assert len(bids) == SPOTS
    assert "too long" in damage


def test_a_bomb_of_many_lines_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that expands without end is read up to a limit."""
    monkeypatch.setattr(player, "MAX_SEGMENT_BYTES", 1_000_000)
    (tmp_path / FIRST).write_bytes(gzip.compress(segment(1) + b'{"t":1.0,"type":"x"}\n' * 2_000_000))
    bids, (damage,) = play(tmp_path)
    assert len(bids) == SPOTS
    assert "more than 1,000,000 bytes" in damage


def fifo(path: Path) -> None:
    """A FIFO, which nobody writes into."""
    os.mkfifo(path)


def dangling(path: Path) -> None:
    """A link to nothing."""
    path.symlink_to(path.with_name("nothing"))


def device(path: Path) -> None:
    """A device that never ends."""
    path.symlink_to("/dev/zero")


def directory(path: Path) -> None:
    """A directory."""
    path.mkdir()


@pytest.mark.parametrize("name", [FIRST, FIRST.removesuffix(".gz")])
@pytest.mark.parametrize("make", [fifo, dangling, device, directory])
def test_what_is_no_file_is_passed_over(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    """In place of a segment, compressed or plain; opening a FIFO does not block."""
    make(tmp_path / name)
    (tmp_path / SECOND).write_bytes(LATER)
    bids, (damage,) = play(tmp_path)
    assert len(bids) == SPOTS
    assert damage.startswith(str(tmp_path / name))
    assert next(records(tmp_path)).type_name == GAP


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_passed_over(tmp_path: Path) -> None:
    """In place of a segment."""
    (tmp_path / FIRST).write_bytes(WHOLE)
    (tmp_path / FIRST).chmod(0)
    (tmp_path / SECOND).write_bytes(LATER)
    bids, damaged = play(tmp_path)
    assert len(bids) == SPOTS
    assert len(damaged) == 1


def test_a_damaged_segment_is_logged_once(tmp_path: Path, logged: list[LogEvent]) -> None:
    """By name and reason; a recording with nothing else to play is one clear error."""
    (tmp_path / FIRST).write_bytes(WHOLE[:60])
    with pytest.raises(SettingError, match="holds no recording with symbols and ticks"):
        Player(tmp_path)
    assert len([e for e in logged if "damaged segment" in (e.get("log_format") or "")]) == 1
