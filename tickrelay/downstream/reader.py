"""Reads one client: as fast as its limits allow, and only while its work is not over in the ledger.

Frames are read until the time of the present piece of work is used up (`tickrelay.admission.ledger`); so are the steps
of a request that takes long. The rest waits, with the client's socket paused. So a request is answered before the next
message is read, and whatever a client sends, others wait for one piece of work.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tickrelay.admission.ledger import Payer
from tickrelay.config.settings import ClientSettings
from tickrelay.downstream.read_limiter import ReadLimiter
from tickrelay.model.clock import Clock

MIN_WAIT_S = 0.01

PROBE_S = 2.0
"""How often a client that sends more than is read of it is sent a ping.

One that is gone cannot be told by reading: its FIN stands behind bytes that its own kernel still holds. But that kernel
answers the ping with a reset.
"""


class Source(Protocol):
    """What is read: the connection."""

    transport: Any

    def read_on(self) -> None:
        """Read the frames that were received meanwhile."""

    def sendPing(self) -> None:
        """Send a ping; its pong is not waited for."""

    def has_left(self) -> bool:
        """Whether the client has closed its end of the connection."""

    def failed(self) -> None:
        """An exception was caught while a frame was read or answered: log it, and close."""


class Reader:
    """Made by the connection when it is open. *payer*: who pays for the work."""

    __slots__ = ("_clock", "_limiter", "_lost", "_payer", "_probed_s", "_source", "_steps", "paused")

    def __init__(self, source: Source, payer: Payer, settings: ClientSettings, clock: Clock) -> None:
        now_s = clock.monotonic_s()
        self.paused = False
        """The socket is not read: a pong may be among the bytes that wait."""
        self._source = source
        self._payer = payer
        self._clock = clock
        self._limiter = ReadLimiter(settings, now_s)
        self._steps: Iterator[None] | None = None
        """What is left to do for the message that is being answered."""
        self._lost = False
        self._probed_s = now_s
        """When the client was last sent a ping, or had sent no more than was read."""

    def may_read_frame(self) -> bool:
        """Whether to read another frame now; else reading pauses: the client is slowed, not refused."""
        if self.paused:
            return False
        now_s = self._clock.monotonic_s()
        wait_s = self._limiter.wait_s(now_s)
        if wait_s > 0.0:
            self.pause_for(wait_s)
            return False
        if self._payer.may_go_on(now_s):
            return True
        self._wait_turn()
        return False

    def pause_for(self, seconds: float) -> None:
        """Read nothing for so long; does nothing while reading is paused already."""
        if not self.paused:
            self._pause()
            self._clock.call_later(max(seconds, MIN_WAIT_S), self._waited)

    def frame_read(self) -> None:
        """A frame was read: count it."""
        self._limiter.frame()

    def answer(self, steps: Callable[[], Iterator[None]]) -> None:
        """A message was read: count it, and do the *steps* that answer it."""
        self._limiter.message()
        try:
            self._steps = steps()
        except Exception:
            self._source.failed()
        else:
            self._do_steps()

    def _do_steps(self) -> None:
        """Do the steps of the present message while there is time; then wait for another turn."""
        steps = self._steps
        assert steps is not None
        try:
            for _ in steps:
                if self._steps is not steps:
                    return  # the step has closed the connection
                if not self._payer.may_go_on(self._clock.monotonic_s()):
                    self._wait_turn(begun=True)
                    return
        except Exception:
            self._source.failed()
        self._steps = None

    def drop_answer(self) -> None:
        """The session has ended: do no further step. May be called by a step."""
        self._steps = None

    def lost(self) -> None:
        """The connection is gone."""
        self._steps = None
        self._lost = True

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self._source.transport.pauseProducing()

    def _wait_turn(self, begun: bool = False) -> None:
        self._pause()
        self._payer.later(self._go_on, begun)

    def _waited(self) -> None:
        """The time is over for which the read limit had stopped the reading."""
        if self._lost or self._abort_if_left():
            return
        now_s = self._clock.monotonic_s()
        if now_s - self._probed_s >= PROBE_S:
            self._probed_s = now_s
            self._source.sendPing()
        self._payer.when_due(self._go_on)

    def _abort_if_left(self) -> bool:
        """Abort the connection of a client that has closed its end, and return whether it has.

        What it had sent is of no use to anybody, and to do it in turn could take a minute.
        """
        if left := self._source.has_left():
            self._source.transport.abortConnection()
        return left

    def _go_on(self) -> None:
        if self._abort_if_left():
            return
        if self._steps is not None:
            self._do_steps()
            if self._steps is not None:
                return
        if self._lost:
            return
        self.paused = False
        try:
            self._source.read_on()
        except Exception:
            # In dataReceived Twisted would close the connection; here it would stay, and never be read again.
            self._source.failed()
        if not (self.paused or self._lost):
            self._probed_s = self._clock.monotonic_s()
            self._source.transport.resumeProducing()
