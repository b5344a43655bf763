"""Turns of the real epoll reactor: between the sockets that are ready, timers get their turn."""

import os
import select
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tickrelay.pauses import MOST_EVENTS, serve_few

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")

READERS = 500
READ_S = 0.000_1
LONGEST_S = 0.004
"""What is due must not wait longer for work of this length."""


class Pipe:
    """A reader whose pipe holds so many bytes, of which each call reads one; *read* is told of it."""

    def __init__(self, size: int, read: Any) -> None:
        self._out, self._in = os.pipe()
        os.write(self._in, bytes(size))
        self._read = read

    def fileno(self) -> int:
        """As Twisted's readers."""
        return self._out

    def logPrefix(self) -> str:
        """As Twisted's readers."""
        return "pipe"

    def connectionLost(self, reason: object) -> None:
        """The reactor has stopped reading it."""

    def doRead(self) -> None:
        """The pipe is ready."""
        os.read(self._out, 1)
        self._read(self)

    def close(self) -> None:
        """Close both ends."""
        os.close(self._out)
        os.close(self._in)


class Turned:
    """A reactor of its own on a clock that only reads move, and what happened in it: pipes that were read, "flush"."""

    def __init__(self) -> None:
        from twisted.internet.epollreactor import EPollReactor

        self.reactor: Any = serve_few(EPollReactor())
        self.now_s = 0.0
        self.reactor.seconds = lambda: self.now_s
        self.seen: list[Pipe | str] = []
        self.flushed_s: list[float] = []

    def read(self, pipe: Pipe) -> None:
        """Some work that takes time, in which a tick comes that is to be flushed at the end of the turn."""
        if len(self.seen) % 100 == 0:
            asked_s = self.now_s
            self.reactor.callLater(0, lambda: self._flush(asked_s))
        self.now_s += READ_S
        self.seen.append(pipe)

    def _flush(self, asked_s: float) -> None:
        self.seen.append("flush")
        self.flushed_s.append(self.now_s - asked_s)


@pytest.fixture
def turned() -> Iterator[Turned]:
    """A reactor with nothing to do."""
    turned = Turned()
    yield turned
    turned.reactor.removeAll()
    turned.reactor._poller.close()
    turned.reactor.waker.connectionLost(None)


def test_a_flush_that_is_due_waits_for_few_readers(turned: Turned) -> None:
    """With 500 ready at once it comes after some of them; no reader is passed over, even by some that stay ready."""
    pipes = [Pipe(20 if number < 100 else 1, turned.read) for number in range(READERS)]
    try:
        for pipe in pipes:
            turned.reactor.addReader(pipe)
        turns = 0
        while set(turned.seen) != {*pipes, "flush"} and turns < 1_000:
            turned.reactor.iterate(0)
            turns += 1
        assert max(turned.flushed_s) <= LONGEST_S
        assert len(turned.flushed_s) >= 4
        firsts = {pipe: turned.seen.index(pipe) for pipe in pipes}
        assert max(firsts.values()) < READERS + len(turned.flushed_s) + 2 * MOST_EVENTS, "each had its turn once"
    finally:
        for pipe in pipes:
            turned.reactor.removeReader(pipe)
            pipe.close()


def test_what_the_reactor_asks_of_its_poller_is_epoll() -> None:
    """This version of Twisted keeps it where it is looked for."""
    from twisted.internet.epollreactor import EPollReactor

    reactor = EPollReactor()
    try:
        assert isinstance(reactor._poller, select.epoll)
    finally:
        reactor._poller.close()
        reactor.waker.connectionLost(None)
