"""Records each frame that comes from cTrader without delaying it.

`Recorder.frame` only appends a line to a buffer. A timer hands the buffer to a thread, one write at a time. A disk
that is full, failing or too slow stops the recording with an alarm (logged, `alarm`, `lost`), and it is tried again
later; the relay goes on.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.model.errors import SettingError
from tickrelay.model.periodic import PeriodicJobs
from tickrelay.openapi import registry
from tickrelay.openapi.messages_pb2 import ProtoOASymbolsListRes
from tickrelay.recording.format import CATALOGUE, gap_line, record_line
from tickrelay.recording.segments import SegmentWriter

WRITE_EVERY_S = 0.25
"""A killed process loses at most this much."""
RETRY_S = 30.0
MAX_PENDING_BYTES = 8_388_608
"""With more than this waiting to be written, the disk counts as too slow."""
MAX_HEAD_BYTES = 33_554_432

_SYMBOLS_LIST = registry.lookup(ProtoOASymbolsListRes).number

InThread = Callable[..., "Deferred[Any]"]


class Recorder:
    """Writes a recording into *directory*. *now* gives Unix seconds; *in_thread* runs a function away from the reactor.

    Call `start`, then `frame` for each frame, `stop` at the end (its Deferred fires when the last segment is closed).
    """

    _log = Logger()

    def __init__(
        self,
        directory: Path | str,
        clock: IReactorTime,
        now: Callable[[], float],
        in_thread: InThread,
        *,
        segment_bytes: int = 67_108_864,
        keep_free_bytes: int = 268_435_456,
        max_bytes: int = 0,
    ) -> None:
        self.directory = Path(directory)
        self._clock = clock
        self._now = now
        self._in_thread = in_thread
        self._writer = SegmentWriter(
            self.directory, segment_bytes=segment_bytes, keep_free_bytes=keep_free_bytes, max_bytes=max_bytes
        )
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._fresh: list[tuple[int, bytes]] = []
        self._catalogue: list[bytes] = []
        self._head = b""
        self._writing: Deferred[Any] | None = None
        self._retry_at_s = 0.0
        self.jobs = PeriodicJobs(clock.seconds, clock.callLater, WRITE_EVERY_S, {"recording": self._write_on})
        self.finds_secret: Callable[[bytes], bool] = lambda _: False
        """Whether a frame quotes a secret, such as a token that cTrader refuses; set before the first frame."""
        self.alarm = ""
        """Why nothing is recorded at the moment; empty while recording works."""
        self.recorded = 0
        """Frames handed to the system."""
        self.lost = 0
        """Frames that were not recorded for an alarm's reason."""
        self._reported = 0

    def check(self) -> None:
        """Make the directory and write to it, once, before the start. Blocks; raises SettingError."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory):
                pass
        except OSError as e:
            raise SettingError(f"--record: cannot write into {self.directory}: {e.strerror}") from None

    def start(self) -> None:
        """Begin to record; warns of a directory that others may read."""
        try:
            mode = self.directory.stat().st_mode & 0o777
        except OSError:
            mode = 0  # it is made by the first write
        if mode & 0o077:
            self._log.warn(
                "recording into {directory}, which other users of this machine may open (mode {mode:o}): chmod 700 it",
                directory=str(self.directory),
                mode=mode,
            )
        self.jobs.start()

    def stop(self) -> "Deferred[Any]":
        """Write what is left and close the segment."""
        self.jobs.stop()
        before = self._writing if self._writing is not None else maybeDeferred(lambda: None)
        return before.addCallback(lambda _: self._write(last=True)).addCallback(lambda _: self._close())

    def frame(self, frame: bytes) -> None:
        """Record a frame. Never raises, never blocks."""
        number, line = record_line(frame, self._now(), self.finds_secret)
        if number in CATALOGUE:
            self._fresh.append((number, line))
        if self.alarm:
            self.lost += 1
            if number in CATALOGUE:
                self._learn()
            return
        self._pending.append(line)
        self._pending_bytes += len(line)
        if self._pending_bytes > MAX_PENDING_BYTES:
            self._fail(f"the disk is too slow: {self._pending_bytes:,} bytes wait to be written")

    def _learn(self) -> None:
        """Take in what describes the symbols since the last write: the next segment begins with it."""
        for number, line in self._fresh:
            if number == _SYMBOLS_LIST:
                self._catalogue.clear()  # a new session: ids may have changed
            self._catalogue.append(line)
        while sum(map(len, self._catalogue)) > MAX_HEAD_BYTES:
            self._catalogue.pop(0)
        if self._fresh:
            self._fresh.clear()
            self._head = b"".join(self._catalogue)

    def _write_on(self) -> None:
        self._write().addErrback(lambda failure: self._log.failure("writing the recording failed", failure))

    def _write(self, last: bool = False) -> "Deferred[Any]":
        if self.alarm:
            if last or self._clock.seconds() < self._retry_at_s:
                return maybeDeferred(lambda: None)
            self._log.info("trying to record again into {directory}", directory=str(self.directory))
        if self._writing is not None or not (self._pending or self.alarm):
            return maybeDeferred(lambda: None)
        lines, self._pending = self._pending, []
        count, self._pending_bytes = len(lines), 0
        head = self._head  # without what is among these lines
        self._learn()
        # Without a thread to be had `in_thread` raises.
        self._writing = maybeDeferred(self._in_thread, self._writer.write, b"".join(lines), head, self._now())
        return self._writing.addCallbacks(self._wrote, self._failed, callbackArgs=(count,), errbackArgs=(count,))

    def _wrote(self, _: object, count: int) -> None:
        self._writing = None
        self.recorded += count
        if self.alarm:
            self._log.info("recording again; {lost} frames were lost", lost=self.lost)
            self.alarm = ""
            line = gap_line(self.lost - self._reported, self._now())
            self._reported = self.lost
            self._pending.append(line)
            self._pending_bytes += len(line)

    def _failed(self, failure: Failure, count: int) -> None:
        self._writing = None
        self.lost += count
        error = failure.value
        self._fail(str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        self.lost += len(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._learn()
        self._retry_at_s = self._clock.seconds() + RETRY_S
        if self.alarm != reason:
            self._log.error(
                "not recording into {directory}: {reason}; trying again every {retry} s",
                directory=str(self.directory),
                reason=reason,
                retry=RETRY_S,
            )
        self.alarm = reason
        if self._writing is None:
            self._writer.abandon()

    def _close(self) -> "Deferred[Any]":
        closing = self._in_thread(self._writer.close)
        return closing.addErrback(
            lambda failure: self._log.error("the recording was not closed: {reason}", reason=str(failure.value))
        )
