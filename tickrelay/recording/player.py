"""Plays a recording as the simulator's market: the catalogue of symbols, then the quotes in their recorded order.

The files are read while they are played, a line at a time. The playback starts one second after the last of the first
subscriptions, so that a client that subscribes in batches misses nothing, and follows the clock given to
`Player.advance`.
"""

import dataclasses
import gzip
import os
import stat
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from twisted.logger import Logger

from tickrelay.model.errors import SettingError
from tickrelay.model.quotes import BOTH, Quote
from tickrelay.openapi import frames, messages_pb2
from tickrelay.openapi.model_pb2 import ProtoOAArchivedSymbol, ProtoOALightSymbol, ProtoOASymbol
from tickrelay.recording.format import (
    GAP,
    MAX_LINE_BYTES,
    MAX_SEGMENT_BYTES,
    CaptureError,
    Record,
    quote_of,
    read_header,
    read_record,
)
from tickrelay.recording.segments import COMPRESSED, segment_paths

START_AFTER_S = 1.0
"""Real seconds between the last of the first subscriptions and the first quote."""
NEVER_S = 3.6e12
"""A due time that no clock reaches."""
MOST_AT_ONCE = 2_000
"""Lines read by one call of `Player.advance`: at any speed the reactor gets its turn."""


def records(directory: Path, damaged: Callable[[str], object] = lambda _: None) -> Generator[Record, None, None]:
    """Every record of a recording, oldest first.

    A segment that is damaged, unreadable or no file ends at the damage: *damaged* gets its path and the reason, and a
    record of type ``gap`` stands for the lost rest.
    """
    for path in segment_paths(directory):
        last_s = 0.0
        try:
            with _open(path) as raw:
                packed = path.name.endswith(COMPRESSED)
                for record in _segment(gzip.GzipFile(fileobj=raw) if packed else raw):
                    last_s = record.received_s
                    yield record
        # gzip raises zlib.error for a corrupt block, EOFError for a truncated file, BadGzipFile (an OSError) for a
        # wrong header or checksum (Python 3.11 to 3.14).
        except (CaptureError, OSError, EOFError, zlib.error) as e:
            damaged(f"{path}: {e}")
            yield Record(last_s, GAP, None)


def _open(path: Path) -> BinaryIO:
    """Open a segment. Raises CaptureError for a FIFO or a directory; opening a FIFO would otherwise block for ever."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise CaptureError("it is no regular file")
    return file


def _segment(file: BinaryIO | gzip.GzipFile) -> Iterator[Record]:
    """The records of a segment, one line in memory at a time. Raises CaptureError, OSError, EOFError and zlib.error."""
    read_header(file.readline(MAX_LINE_BYTES))
    left = MAX_SEGMENT_BYTES
    while line := file.readline(MAX_LINE_BYTES):
        left -= len(line)
        if left < 0:
            raise CaptureError(f"a segment of more than {MAX_SEGMENT_BYTES:,} bytes")
        if not line.endswith(b"\n"):
            raise CaptureError("the last line was cut short or is too long")
        yield read_record(line)


class Player:
    """A recording as a `tickrelay.simulator.market.source.Source` with its own catalogue.

    Reads up to the first spot event at once, which blocks. Raises SettingError where *directory* holds no symbols or no
    ticks, with the reason where a damaged segment is the cause.
    """

    _log = Logger()

    def __init__(self, directory: Path | str) -> None:
        if not Path(directory).is_dir():
            raise SettingError(f"--replay: {directory} is no directory")
        self._damage = ""
        self._records = records(Path(directory), self._damaged)
        self.light_symbols: list[ProtoOALightSymbol] = []
        self.full_symbols: dict[int, ProtoOASymbol] = {}
        self.archived: list[ProtoOAArchivedSymbol] = []
        self.assets: list[Any] = []
        self.asset_classes: list[Any] = []
        self.categories: list[Any] = []
        self.last: dict[int, Quote] = {}
        """The newest quote of each symbol that was played."""
        self.session_closes: dict[int, int] = {}
        self.rate = 1.0
        """Has no effect: a recording keeps its pace."""
        self.shut = False
        self.ended = False
        """Every line was read."""
        self._offset_s: float | None = None
        """Market time minus the time of recording; None before the start."""
        self._starts_s = 0.0
        self._read_to_s = 0.0
        self._next: tuple[float, messages_pb2.ProtoOASpotEvent] | None = None
        while self._next is None and not self.ended:
            self._read_line()
        if not self.light_symbols or self._next is None:
            reason = f": {self._damage}" if self._damage else ""
            raise SettingError(f"--replay: {directory} holds no recording with symbols and ticks{reason}")

    # Source

    @property
    def next_s(self) -> float:
        """When the next quote is due, on the clock of `advance`; at once where `advance` stopped at its limit."""
        if self._offset_s is None:
            return self._starts_s or NEVER_S
        if self.ended and self._next is None:
            return NEVER_S
        return (self._next[0] if self._next is not None else self._read_to_s) + self._offset_s

    def subscribed(self, now_s: float, speed: float) -> None:
        """Start the playback `START_AFTER_S` later, at *speed* market seconds a second; no effect once it has begun."""
        if self._offset_s is None:
            self._starts_s = now_s + START_AFTER_S * speed

    def advance(self, now_s: float) -> list[Quote]:
        """The quotes up to *now_s* in the recorded order, from at most `MOST_AT_ONCE` lines."""
        if self._offset_s is None:
            if not self._starts_s or now_s < self._starts_s:
                return []
            assert self._next is not None
            self._offset_s = self._starts_s - self._next[0]
        quotes: list[Quote] = []
        for _ in range(MOST_AT_ONCE):
            if self._next is not None:
                received_s, event = self._next
                if received_s + self._offset_s > now_s:
                    break
                self._next = None
                quotes += self._quote(event)
            if self.ended:
                break
            self._read_line()
        return quotes

    def technical(self, symbol_id: int) -> Quote | None:
        """The newest quote with both sides and the session's close; None before the symbol's first one."""
        last = self.last.get(symbol_id)
        if last is None:
            return None
        return dataclasses.replace(last, changed=BOTH, session_close=self.session_closes.get(symbol_id, 0))

    def close(self) -> None:
        """Close the files; nothing more is played."""
        self._next = None
        self.ended = True
        self._records.close()

    def restart(self) -> None:
        """No effect: a recording keeps its pace."""

    def _damaged(self, where: str) -> None:
        self._damage = self._damage or where
        self._log.error("replay: the rest of a damaged segment is left out: {where}", where=where)

    def _quote(self, event: messages_pb2.ProtoOASpotEvent) -> list[Quote]:
        quote = quote_of(event, self.last.get(event.symbolId))
        if quote is None:
            return []
        self.last[event.symbolId] = quote
        if quote.session_close:
            self.session_closes[event.symbolId] = quote.session_close
        return [] if self.shut else [quote]

    def _read_line(self) -> None:
        """Read one record: a spot event is the next one due, a description of symbols goes into the catalogue."""
        record = next(self._records, None)
        if record is None:
            self.ended = True
            self._log.info("replay: the recording has ended")
            return
        self._read_to_s = max(self._read_to_s, record.received_s)
        if record.type_name == GAP:
            self.last.clear()  # A side may have changed unseen: the next quote is one that brings both.
        if record.frame is None:
            return
        try:
            message = frames.open_payload(frames.open_envelope(record.frame))
        except frames.FrameError:
            return
        if isinstance(message, messages_pb2.ProtoOASpotEvent):
            if self.light_symbols:  # else what described its symbol is damaged: another segment may have it
                self._next = record.received_s, message
        else:
            self._describe(message)

    def _describe(self, message: object) -> None:
        if isinstance(message, messages_pb2.ProtoOASymbolsListRes):
            self.light_symbols = list(message.symbol)
            self.archived = list(message.archivedSymbol) or self.archived
        elif isinstance(message, messages_pb2.ProtoOASymbolByIdRes):
            self.full_symbols.update({symbol.symbolId: symbol for symbol in message.symbol})
        elif isinstance(message, messages_pb2.ProtoOAAssetListRes):
            self.assets = list(message.asset)
        elif isinstance(message, messages_pb2.ProtoOAAssetClassListRes):
            self.asset_classes = list(message.assetClass)
        elif isinstance(message, messages_pb2.ProtoOASymbolCategoryListRes):
            self.categories = list(message.symbolCategory)
