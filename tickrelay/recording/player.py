"""Reads a recording as the simulator wants it: the catalogue of symbols, then quote after quote in their old order.

The tape is read as it is played, a block at a time. It starts a moment after the first subscription (so that a client
that subscribes in batches misses nothing) and plays at the pace of the clock that `advance` is told.
"""

import dataclasses
import gzip
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from twisted.logger import Logger

from tickrelay.model.errors import SettingError
from tickrelay.model.quotes import BOTH, Quote
from tickrelay.openapi import frames, messages_pb2
from tickrelay.openapi.model_pb2 import ProtoOAArchivedSymbol, ProtoOALightSymbol, ProtoOASymbol
from tickrelay.recording.format import GAP, MAX_LINE_BYTES, CaptureError, Record, quote_of, read_header, read_record
from tickrelay.recording.segments import COMPRESSED, segment_paths

_tape_log = Logger()

START_AFTER_S = 1.0
NEVER_S = 3600.0
"""While nothing is due, somebody looks again after this time."""


def records(directory: Path) -> Generator[Record, None, None]:
    """Every record of a recording, oldest first. A segment ends where it was cut short. Raises CaptureError."""
    for path in segment_paths(directory):
        opened: Any = gzip.open(path, "rb") if path.name.endswith(COMPRESSED) else path.open("rb")
        with opened as file:
            try:
                yield from _segment(file)
            except (CaptureError, OSError, EOFError) as e:
                _tape_log.warn(
                    "{path}: the rest of this segment is not played: {reason}", path=str(path), reason=str(e)
                )


def _segment(file: BinaryIO) -> Iterator[Record]:
    read_header(file.readline(MAX_LINE_BYTES))
    while line := file.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            raise CaptureError("the last line was cut short")
        yield read_record(line)


class Player:
    """A recording, as the simulated market of a server. Raises SettingError where there is nothing to play."""

    _log = Logger()

    def __init__(self, directory: Path | str) -> None:
        self._records = records(Path(directory))
        self.light_symbols: list[ProtoOALightSymbol] = []
        self.full_symbols: dict[int, ProtoOASymbol] = {}
        self.archived: list[ProtoOAArchivedSymbol] = []
        self.assets: list[Any] = []
        self.asset_classes: list[Any] = []
        self.categories: list[Any] = []
        self.last: dict[int, Quote] = {}
        """The newest quote of each symbol, as far as the tape has run."""
        self.session_closes: dict[int, int] = {}
        self.rate = 1.0
        """Without meaning here: a recording has the pace it has."""
        self.shut = False
        self.ended = False
        self._offset_s: float | None = None
        self._starts_s = 0.0
        self._next: tuple[float, messages_pb2.ProtoOASpotEvent] | None = None
        if not Path(directory).is_dir():
            raise SettingError(f"--replay: {directory} is no directory")
        self._read_on()
        if not self.light_symbols or self._next is None:
            raise SettingError(f"--replay: {directory} holds no recording with symbols and ticks")

    # as the simulator's market

    @property
    def next_s(self) -> float:
        """When the next quote is due, on the clock of `advance`."""
        if self._offset_s is None:
            return self._starts_s or NEVER_S * 1e9
        return self._next[0] + self._offset_s if self._next is not None else NEVER_S * 1e9

    def subscribed(self, now_s: float, speed: float) -> None:
        """Somebody subscribed: the tape starts a moment later (a second on the client's clock)."""
        if self._offset_s is None:
            self._starts_s = now_s + START_AFTER_S * speed

    def advance(self, now_s: float) -> list[Quote]:
        """The quotes up to *now_s*, in the order of the recording."""
        if self._offset_s is None:
            if not self._starts_s or now_s < self._starts_s:
                return []
            assert self._next is not None
            self._offset_s = self._starts_s - self._next[0]
        quotes: list[Quote] = []
        while self._next is not None and self._next[0] + self._offset_s <= now_s:
            _, event = self._next
            quote = quote_of(event, self.last.get(event.symbolId))
            if quote is not None:
                self.last[event.symbolId] = quote
                if quote.session_close:
                    self.session_closes[event.symbolId] = quote.session_close
                if not self.shut:
                    quotes.append(quote)
            self._read_on()
        if self._next is None and not self.ended:
            self.ended = True
            self._log.info("the recording has come to its end")
        return quotes

    def technical(self, symbol_id: int) -> Quote | None:
        """What a new subscription is told at once; None while the tape has not come to the symbol."""
        last = self.last.get(symbol_id)
        if last is None:
            return None
        return dataclasses.replace(last, changed=BOTH, session_close=self.session_closes.get(symbol_id, 0))

    def close(self) -> None:
        """Let go of the files."""
        self._next = None
        self._records.close()

    def restart(self) -> None:
        """The pace of a recording does not change."""

    # inside

    def _read_on(self) -> None:
        """Read to the next spot event; what describes the symbols is taken in on the way."""
        self._next = None
        for record in self._records:
            if record.type_name == GAP:
                self.last.clear()  # a side may have changed unseen: the next quote is one that brings both
            if record.frame is None:
                continue
            try:
                envelope = frames.open_envelope(record.frame)
                message = frames.open_payload(envelope)
            except frames.FrameError:
                continue
            if isinstance(message, messages_pb2.ProtoOASpotEvent):
                self._next = (record.received_s, message)
                return
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
