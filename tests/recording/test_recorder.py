"""The recorder never raises, never blocks, and says when it does not record."""

import errno
import gzip
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent

from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOARefreshTokenRes,
    ProtoOASpotEvent,
    ProtoOASymbolByIdRes,
    ProtoOASymbolsListRes,
)
from tickrelay.recording import segments
from tickrelay.recording.player import records
from tickrelay.recording.recorder import MAX_PENDING_BYTES, RETRY_S, Recorder

START_S = 1_763_900_000.0


def spot(bid: int) -> bytes:
    """A spot event's frame."""
    return frames.encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=bid))


Make = Callable[..., Recorder]
"""Makes a recorder; keywords are its options."""


@pytest.fixture
def make(clock: Clock, tmp_path: Path) -> Iterator[Make]:
    """Makes recorders that have started, and keep no room free unless told to; lets go of their files at the end."""
    made = []

    def make(in_thread: Any = maybeDeferred, path: Path = tmp_path, **options: Any) -> Recorder:
        options.setdefault("keep_free_bytes", 0)
        recorder = Recorder(path, clock, lambda: START_S + clock.seconds(), in_thread, **options)
        made.append(recorder)
        recorder.start()
        return recorder

    yield make
    for recorder in made:
        recorder._writer.abandon()


def bids(path: Path) -> list[int]:
    """What a recording holds."""
    found = []
    for record in records(path):
        if record.frame is not None and record.type_name == "ProtoOASpotEvent":
            found.append(ProtoOASpotEvent.FromString(frames.open_envelope(record.frame).payload).bid)
    return found


def test_frames_come_back_in_order_with_their_times(clock: Clock, tmp_path: Path, make: Make) -> None:
    """Everything given before a stop is on disk after it, compressed and readable."""
    recorder = make()
    for bid in range(1, 11):
        recorder.frame(spot(bid))
        clock.advance(0.1)
    recorder.stop()
    assert bids(tmp_path) == list(range(1, 11))
    assert [round(r.received_s - START_S, 6) for r in records(tmp_path)] == [n / 10 for n in range(10)]
    (path,) = segments.segment_paths(tmp_path)
    assert gzip.open(path).readline().startswith(b'{"format":"tickrelay-capture","version":1,')
    assert (recorder.recorded, recorder.lost, recorder.alarm) == (10, 0, "")


def test_what_was_written_survives_a_kill(clock: Clock, tmp_path: Path, make: Make) -> None:
    """Without a stop the plain segment stands; only the last quarter second may be missing; a torn line is skipped."""
    recorder = make()
    for bid in range(1, 11):
        recorder.frame(spot(bid))
        clock.advance(0.1)
    on_disk = bids(tmp_path)
    assert on_disk == list(range(1, len(on_disk) + 1))
    assert len(on_disk) >= 7
    (path,) = segments.segment_paths(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"t":1763900001.5,"type":"ProtoOASp')
    assert bids(tmp_path) == on_disk


def test_no_secret_is_written(clock: Clock, tmp_path: Path, make: Make) -> None:
    """Tokens never reach the disk."""
    recorder = make()
    recorder.frame(frames.encode(ProtoOAGetAccountListByAccessTokenRes(accessToken="CANARY")))
    recorder.frame(
        frames.encode(ProtoOARefreshTokenRes(accessToken="CANARY", tokenType="b", expiresIn=1, refreshToken="CANARY"))
    )
    clock.advance(1)
    (path,) = segments.segment_paths(tmp_path)
    data = path.read_bytes()
    assert data.count(b"\n") == 3
    assert b"CANARY" not in data and b"Q0FOQVJZ" not in data and b'"frame"' not in data


def test_segments_roll_and_each_begins_with_the_symbols(clock: Clock, tmp_path: Path, make: Make) -> None:
    """A segment that is full is compressed; the next one can be played alone."""
    recorder = make(segment_bytes=2000)
    recorder.frame(frames.encode(ProtoOASymbolsListRes(ctidTraderAccountId=1)))
    recorder.frame(frames.encode(ProtoOASymbolByIdRes(ctidTraderAccountId=1)))
    for bid in range(1, 101):
        recorder.frame(spot(bid))
        clock.advance(0.25)
    recorder.stop()
    paths = segments.segment_paths(tmp_path)
    assert len(paths) > 3
    assert all(path.name.endswith(".jsonl.gz") for path in paths)
    for path in paths:
        types = [line.split(b'"type":"')[1].split(b'"')[0] for line in gzip.open(path).readlines()[1:]]
        assert types[:2] == [b"ProtoOASymbolsListRes", b"ProtoOASymbolByIdRes"]
    assert bids(tmp_path) == list(range(1, 101))


def test_a_new_symbol_list_voids_the_old_one(clock: Clock, tmp_path: Path, make: Make) -> None:
    """Ids belong to a session: a segment begins with the newest catalogue only."""
    recorder = make(segment_bytes=1)
    for _ in range(5):
        recorder.frame(frames.encode(ProtoOASymbolsListRes(ctidTraderAccountId=1)))
        clock.advance(0.25)
    recorder.frame(spot(1))
    clock.advance(0.25)
    path = segments.segment_paths(tmp_path)[-1]
    assert path.read_bytes().count(b"ProtoOASymbolsListRes") == 1


def test_old_segments_make_room_for_new_ones(clock: Clock, tmp_path: Path, make: Make) -> None:
    """With a limit on the directory the oldest segments go."""
    recorder = make(segment_bytes=1000, max_bytes=5000)
    for bid in range(1, 201):
        recorder.frame(spot(bid))
        clock.advance(0.25)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000
    assert bids(tmp_path)[-1] >= 199


class BadDisk:
    """Runs what it is given, or fails as a disk does."""

    def __init__(self) -> None:
        self.error: OSError | None = None

    def __call__(self, call: Any, *args: Any) -> Deferred[Any]:
        """Run it now."""

        def run() -> Any:
            if self.error is not None:
                raise self.error
            return call(*args)

        return maybeDeferred(run)


def test_a_full_disk_stops_the_recording_with_an_alarm(
    clock: Clock, tmp_path: Path, make: Make, logged: list[LogEvent]
) -> None:
    """One log line, a count of what is lost; recording goes on in a new segment when there is room again."""
    disk = BadDisk()
    recorder = make(disk)
    recorder.frame(spot(1))
    clock.advance(1)
    disk.error = OSError(errno.ENOSPC, "No space left on device")
    for bid in range(2, 12):
        recorder.frame(spot(bid))
        clock.advance(0.5)
    assert "No space left" in recorder.alarm
    assert recorder.lost == 10
    clock.pump([1] * 100)
    assert len([e for e in logged if "not recording" in (e.get("log_format") or "")]) == 1
    disk.error = None
    clock.pump([1] * round(RETRY_S + 1))
    assert recorder.alarm == ""
    recorder.frame(spot(12))
    clock.advance(1)
    clock.advance(1)
    assert bids(tmp_path) == [1, 12]
    assert [r.type_name for r in records(tmp_path)] == ["ProtoOASpotEvent", "gap", "ProtoOASpotEvent"]


def test_too_little_room_is_an_alarm(clock: Clock, tmp_path: Path, make: Make) -> None:
    """The rest of the machine needs its disk too."""
    recorder = make(keep_free_bytes=2**62)
    recorder.frame(spot(1))
    clock.advance(1)
    assert "are kept free" in recorder.alarm
    assert recorder.lost == 1


def test_a_directory_that_cannot_be_made_is_an_alarm(clock: Clock, tmp_path: Path, make: Make) -> None:
    """And nothing else."""
    (tmp_path / "file").write_text("")
    recorder = make(path=tmp_path / "file" / "recording")
    recorder.frame(spot(1))
    clock.advance(1)
    assert recorder.alarm
    recorder.stop()


def test_a_real_write_that_fails_leaves_a_readable_recording(clock: Clock, tmp_path: Path, make: Make) -> None:
    """The file system refuses in the middle of a line (a limit on the size of files stands for the full disk)."""
    recorder = make()
    recorder.frame(spot(1))
    clock.advance(1)
    (path,) = segments.segment_paths(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, hard))
    try:
        recorder.frame(spot(2))
        clock.advance(1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert os.strerror(errno.EFBIG) in recorder.alarm
    clock.pump([1] * round(RETRY_S + 2))
    recorder.frame(spot(3))
    clock.advance(1)
    recorder.stop()
    assert bids(tmp_path) == [1, 3]


def test_a_disk_that_is_too_slow_is_an_alarm_and_memory_stays_bounded(clock: Clock, tmp_path: Path, make: Make) -> None:
    """One write at a time; what waits is dropped before it grows too large."""
    stuck: Deferred[Any] = Deferred()
    recorder = make(lambda *_: stuck)
    recorder.frame(spot(1))
    clock.advance(1)
    big = frames.encode(ProtoOASymbolByIdRes(ctidTraderAccountId=1), "x" * 100_000)
    for _ in range(MAX_PENDING_BYTES // 100_000 + 1):
        recorder.frame(big)
    assert "too slow" in recorder.alarm
    assert recorder._pending_bytes == 0
    stuck.callback(None)
    clock.pump([1] * round(RETRY_S + 1))


@pytest.mark.parametrize("frame", [b"", b"\xff" * 10, b"\x08\xd3\x10\x12\x02\xff\xff"])
def test_garbage_is_noted_and_withheld(clock: Clock, tmp_path: Path, make: Make, frame: bytes) -> None:
    """A frame that cannot be read is a line without a frame."""
    recorder = make()
    recorder.frame(frame)
    clock.advance(1)
    recorder.stop()
    (record,) = records(tmp_path)
    assert (record.type_name, record.frame) == ("unreadable", None)


def test_a_directory_that_is_removed_is_an_alarm(clock: Clock, tmp_path: Path, make: Make) -> None:
    """Nothing is written into a file that nobody will find; it goes on in a new directory."""
    recorder = make(path=tmp_path / "recording")
    recorder.frame(spot(1))
    clock.advance(1)
    shutil.rmtree(tmp_path / "recording")
    recorder.frame(spot(2))
    clock.advance(1)
    assert "was removed" in recorder.alarm
    clock.pump([1] * round(RETRY_S + 2))
    recorder.frame(spot(3))
    clock.advance(1)
    recorder.stop()
    assert bids(tmp_path / "recording") == [3]


def test_check_before_the_start(clock: Clock, tmp_path: Path, make: Make) -> None:
    """A directory that can be written is made; one that cannot is one clear error."""
    make(path=tmp_path / "new" / "recording").check()
    assert (tmp_path / "new" / "recording").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="--record: cannot write into"):
        make(path=tmp_path / "file" / "recording").check()
