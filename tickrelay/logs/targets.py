"""Where log lines are written. `write` raises OSError where it cannot write now, and is called again with that line."""

import os

from twisted.python.logfile import LogFile


class Descriptor:
    """A file descriptor, such as that of standard output.

    Written to without Python's buffered file: a thread that is blocked in a write has the lock of the buffer, and the
    interpreter, which flushes it at its end, aborts ("could not acquire lock", 3.11).
    """

    def __init__(self, number: int, encoding: str = "utf-8") -> None:
        self._number = number
        self._encoding = encoding
        self._rest = b""

    def write(self, line: str) -> None:
        """Write all of *line*; when it is tried again, what was not written yet. Blocks while a pipe is full."""
        self._rest = self._rest or line.encode(self._encoding, "backslashreplace")
        while self._rest:
            self._rest = self._rest[os.write(self._number, self._rest) :]


class RotatingFile:
    """A log file as twistd's own, which is rotated at a million bytes."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._path = path
        self._file = LogFile.fromFullPath(path)
        self._rotation_due = False

    def rotate(self) -> None:
        """Begin a new file with the next line. May be called in any thread."""
        self._rotation_due = True

    def write(self, line: str) -> None:
        """Write *line*, after a rotation where one is due."""
        data = line.encode("utf-8", "backslashreplace")
        try:
            if self._rotation_due:
                self._rotation_due = False
                self._file.rotate()
            self._file.write(data)
        except ValueError:
            # LogFile (Twisted 26.10) closes its file before it opens the next: where that fails, for want of a
            # descriptor or of space, every later write fails with "I/O operation on closed file".
            self._file = LogFile.fromFullPath(self._path)
            self._file.write(data)
