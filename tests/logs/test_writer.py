"""The queue of log lines and the thread that writes them; every wait here has a deadline and ends on an event."""

import errno
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tickrelay.logs import writer
from tickrelay.logs.writer import MAX_QUEUED_CHARACTERS, BackgroundWriter

PATIENCE_S = 30.0


class Pipe:
    """Takes lines while it is open; while it is shut, whoever writes waits."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self._changed = threading.Condition()

    def write(self, line: str) -> None:
        """Wait until it is open, and keep the line."""
        self.entered.set()
        assert self.open.wait(PATIENCE_S)
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[str]], bool]) -> None:
        """Wait until its lines are so."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.lines), PATIENCE_S)


@pytest.fixture
def pipe() -> Pipe:
    """An open one."""
    return Pipe()


def reporting(pipe: Pipe) -> BackgroundWriter:
    """A writer that has started and writes its reports to *pipe* too."""
    made = BackgroundWriter(lambda dropped: made.put(pipe.write, f"{dropped} dropped"), retry_s=0.001)
    made.start()
    return made


def test_lines_wait_until_the_start_and_keep_their_order(pipe: Pipe) -> None:
    """Before it the process may fork; a second start changes nothing."""
    lines = BackgroundWriter(lambda dropped: None)
    for number in range(100):
        lines.put(pipe.write, str(number))
    assert pipe.lines == []
    lines.start()
    lines.start()
    lines.finish()
    assert pipe.lines == [str(number) for number in range(100)]


def test_a_full_pipe_keeps_nobody_waiting(pipe: Pipe) -> None:
    """What has no room is dropped and counted; one line says how many when it flows again, in its place."""
    lines = reporting(pipe)
    pipe.open.clear()
    lines.put(pipe.write, "first")
    assert pipe.entered.wait(PATIENCE_S)
    begun = time.monotonic()
    for _ in range(5000):
        lines.put(pipe.write, "x" * 1000)
    assert time.monotonic() - begun < PATIENCE_S / 3
    pipe.open.set()
    kept = (MAX_QUEUED_CHARACTERS - len("first")) // 1000
    pipe.wait_for(lambda found: len(found) == kept + 2)
    assert pipe.lines[-1] == f"{5000 - kept} dropped"
    lines.put(pipe.write, "after")
    pipe.wait_for(lambda found: found[-1] == "after")


def test_after_a_drop_half_of_the_queue_must_be_free(pipe: Pipe) -> None:
    """Else the log of a slow pipe would be gaps and their counts alone."""
    lines = BackgroundWriter(lambda dropped: None)
    for _ in range(MAX_QUEUED_CHARACTERS // 1000 + 5):
        lines.put(pipe.write, "x" * 1000)
    lines.put(pipe.write, "y")
    lines.start()
    lines.finish()
    assert set(pipe.lines) == {"x" * 1000}


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_is_tried_again(pipe: Pipe, number: int) -> None:
    """No line is lost by it."""
    failures = [number] * 3

    def write(line: str) -> None:
        if failures:
            raise OSError(failures.pop(), "no")
        pipe.write(line)

    lines = reporting(pipe)
    lines.put(write, "a")
    lines.put(write, "b")
    pipe.wait_for(lambda found: found == ["a", "b"])


def test_a_line_that_cannot_be_written_at_all_is_counted(pipe: Pipe) -> None:
    """It does not hold up the others."""

    def refuse(line: str) -> None:
        raise ValueError("embedded null character")

    lines = reporting(pipe)
    lines.put(refuse, "a\0")
    pipe.wait_for(lambda found: found == ["1 dropped"])


def test_the_end_waits_for_what_is_queued_but_not_for_ever(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later lines, which twistd logs at its end, share the same time."""
    monkeypatch.setattr(writer, "FLUSH_S", 0.05)
    lines = reporting(pipe)
    pipe.open.clear()
    lines.put(pipe.write, "stuck")
    begun = time.monotonic()
    lines.finish()
    for _ in range(1000):
        lines.put(pipe.write, "late")
    assert time.monotonic() - begun < PATIENCE_S / 3
    pipe.open.set()
    pipe.wait_for(lambda found: len(found) == 1001)


def test_lines_after_the_end_are_written_when_put_returns(pipe: Pipe) -> None:
    """The process may be ended by a signal right after them."""
    lines = reporting(pipe)
    lines.finish()
    lines.put(pipe.write, "Server Shut Down.")
    assert pipe.lines == ["Server Shut Down."]


def test_a_start_that_failed_writes_at_the_end(pipe: Pipe) -> None:
    """Without the thread; an error of the pipe ends nothing."""

    def fail(line: str) -> None:
        raise BrokenPipeError

    lines = BackgroundWriter(lambda dropped: None)
    lines.put(fail, "a")
    lines.put(pipe.write, "b")
    lines.finish()
    lines.put(pipe.write, "c")
    assert pipe.lines == ["b", "c"]


def test_a_signal_handler_may_log(pipe: Pipe) -> None:
    """Also in the middle of a line of the same thread, as Twisted's handlers do."""
    lines = reporting(pipe)
    before = signal.signal(signal.SIGUSR1, lambda *_: lines.put(pipe.write, "handler"))
    try:
        with lines._changed:
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    pipe.wait_for(lambda found: found == ["handler"])
