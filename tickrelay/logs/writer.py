"""A bounded queue of log lines, and the thread that writes them: whoever logs never waits for a pipe or a disk."""

import threading
import time
from collections import deque
from collections.abc import Callable

MAX_QUEUED_CHARACTERS = 1_000_000
"""Of all lines in the queue. A line that has no room is dropped and counted."""

RETRY_S = 1.0
"""After a write that failed (closed pipe, full disk, EIO) the same line is tried again so much later."""

FLUSH_S = 2.0
"""How long the end of the process waits for the queue to be written."""

Write = Callable[[str], object]


class BackgroundWriter:
    """Writes lines in their order, in a thread of its own from `start` on.

    twistd forks after it has begun to log, and no thread survives a fork: until `start` lines only wait. From `finish`
    on, whoever logs waits until the line is written, but no longer than `FLUSH_S` in all.

    *report* is called with the number of lines that were dropped, as soon as there is room again; it is to log it.
    """

    def __init__(self, report: Callable[[int], object], retry_s: float = RETRY_S) -> None:
        self._report = report
        self._retry_s = retry_s
        self._lines: deque[tuple[Write, str]] = deque()
        self._characters = 0
        self._dropped = 0
        # Its lock can be taken again by the thread that has it: a signal handler may log in the middle of `put`.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._finish_by_s: float | None = None

    def put(self, write: Write, line: str) -> None:
        """Let *line* be written by *write*, which raises OSError where it cannot write now. May be called in any
        thread.
        """
        with self._changed:
            # After a drop half of the room must be free: else each line that was written would let another one in, and
            # the log would be one of gaps.
            room = MAX_QUEUED_CHARACTERS // 2 if self._dropped else MAX_QUEUED_CHARACTERS
            if self._characters + len(line) > room:
                self._dropped += 1
                return
            self._report_dropped()
            self._lines.append((write, line))
            self._characters += len(line)
            self._changed.notify_all()
            if self._finish_by_s is not None:
                self._flush(self._finish_by_s)

    def start(self) -> None:
        """Begin to write. To be called after the process has forked."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """The process is about to end: wait until the queue is written, `FLUSH_S` at the most."""
        with self._changed:
            if self._finish_by_s is None:
                self._finish_by_s = time.monotonic() + FLUSH_S
            self._flush(self._finish_by_s)

    def _flush(self, deadline_s: float) -> None:
        if self._thread is None:
            while self._lines:  # the start has failed: there is nobody to wait for it but the terminal
                self._write_first()
        elif threading.current_thread() is not self._thread:
            self._changed.wait_for(lambda: not self._lines, max(0.0, deadline_s - time.monotonic()))

    def _report_dropped(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._report(dropped)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
            if not self._write_first():
                time.sleep(self._retry_s)

    def _write_first(self) -> bool:
        """Write the first line; False: try it again later."""
        write, line = self._lines[0]
        dropped = 0
        try:
            write(line)
        except OSError:
            if self._thread is not None:
                return False
        except Exception:
            dropped = 1  # a line that cannot be written must not hold up those after it
        with self._changed:
            self._lines.popleft()
            self._characters -= len(line)
            self._dropped += dropped
            if not self._lines:
                self._report_dropped()
            self._changed.notify_all()
        return True
