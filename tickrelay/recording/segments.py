"""The files of a recording. Everything here blocks: call it in a thread.

Lines are appended and handed to the system at each write, so that a killed process loses only what had not been
given to it. A segment that is full is closed, synced, and compressed.
"""

import gzip
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tickrelay.recording.format import header_line

SUFFIX = ".jsonl"
COMPRESSED = ".jsonl.gz"
_BLOCK_BYTES = 262_144


class DiskFull(OSError):
    """Less than ``keep_free_bytes`` of the disk is free."""


def segment_paths(directory: Path) -> list[Path]:
    """The segments of a recording, oldest first. A segment that was being compressed when all ended counts once."""
    found = {}
    for path in directory.glob(f"*{COMPRESSED}"):
        found[path.name.removesuffix(COMPRESSED)] = path
    for path in directory.glob(f"*{SUFFIX}"):
        found[path.name.removesuffix(SUFFIX)] = path  # the plain file goes only once the compressed one is whole
    return [found[name] for name in sorted(found)]


def _create(path: Path) -> int:
    """A descriptor of a new file that its owner alone can open, whatever the umask. Raises OSError where it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.fchmod(descriptor, 0o600)  # a umask may have taken the owner's own rights
    return descriptor


class SegmentWriter:
    """Appends to the newest segment of *directory*."""

    def __init__(self, directory: Path, *, segment_bytes: int, keep_free_bytes: int, max_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._keep_free_bytes = keep_free_bytes
        self._max_bytes = max_bytes
        self._file: BinaryIO | None = None
        self._path = directory
        self._written = 0

    def write(self, lines: bytes, head: bytes, now_s: float) -> None:
        """Append *lines*; a new segment begins with *head*. Raises OSError."""
        if self._file is not None and self._written >= self._segment_bytes:
            self.close()
        if self._file is not None and not self._path.exists():
            raise FileNotFoundError(f"{self._path.name} was removed while it was written")
        if self._file is None:
            self._open(now_s, head)
        assert self._file is not None
        view = memoryview(lines)
        while view:
            view = view[self._file.write(view) :]
        self._written += len(lines)

    def close(self) -> None:
        """Close the segment: sync and compress it. Raises OSError."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            os.fsync(file.fileno())
        finally:
            file.close()
        self._compress(self._path)

    def abandon(self) -> None:
        """Close a segment that cannot be written any more, without compressing it. Never raises."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # it failed before, which is why it is abandoned

    def _open(self, now_s: float, head: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room()
        for part in self._directory.glob("*.part"):
            part.unlink()  # of a process that ended while it compressed; the plain segment is still there
        stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self._path = self._directory / f"{stamp}{SUFFIX}"
        # Unbuffered: a line that write() took survives the process. Never into a file that is there.
        self._file = open(_create(self._path), "wb", buffering=0)
        first = header_line(now_s) + head
        self._file.write(first)
        self._written = len(first)

    def _make_room(self) -> None:
        paths = segment_paths(self._directory)
        if self._max_bytes:
            sizes = {path: path.stat().st_size for path in paths}
            while paths and sum(sizes[path] for path in paths) + self._segment_bytes > self._max_bytes:
                paths.pop(0).unlink()
        free = shutil.disk_usage(self._directory).free
        if free < self._keep_free_bytes:
            raise DiskFull(f"only {free:,} bytes are free, {self._keep_free_bytes:,} are kept free")

    def _compress(self, path: Path) -> None:
        target = path.with_name(path.name.removesuffix(SUFFIX) + COMPRESSED)
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        with path.open("rb") as source, open(_create(part), "wb") as raw, gzip.open(raw, "wb", 6) as packed:
            shutil.copyfileobj(source, packed, _BLOCK_BYTES)
        part.replace(target)
        path.unlink()
