"""One symbol in the relay: its last tick, its sequence number, and the history for clients that resume."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from tickrelay.model.ticks import Symbol, Tick

NO_SUBSCRIBERS = "no-subscribers"
"""Cause of a loss while no client subscribed the symbol: never declared as a gap."""


class Channel:
    """Made by the hub when a symbol is first subscribed; kept for the run, so that its sequence never restarts."""

    __slots__ = (
        "ask",
        "audience",
        "bid",
        "history",
        "index",
        "last",
        "lost",
        "pending",
        "resumable_from",
        "sent",
        "sent_seq",
        "seq",
        "symbol",
    )

    def __init__(self, symbol: Symbol, index: int) -> None:
        self.symbol = symbol
        self.index = index
        """Its index in the lists that the hub and the encoding groups keep per channel."""
        self.audience = 0
        """How many clients subscribe it."""
        self.bid = 0
        self.ask = 0
        """Forward-filled sides, 1/100000; 0 while unknown."""
        self.seq = 0
        """The sequence number of the newest tick; ticks count from 1."""
        self.last: Tick | None = None
        """The newest tick."""
        self.sent: Tick | None = None
        """The newest tick that a flush has sent. A client that subscribes between two flushes starts after it."""
        self.sent_seq = 0
        self.pending: list[Tick] = []
        """Ticks since the last flush, oldest first."""
        self.history: deque[Tick] | None = None
        """The newest ticks for clients that resume; None until a client that can resume has subscribed."""
        self.resumable_from = 0
        """The lowest position from which a client can resume: after it no tick was lost upstream."""
        self.lost = ""
        """Why ticks may have been missed since `last`, as in ``gap``; empty: none were."""

    def lose(self, cause: str) -> None:
        """Ticks may be missed from here on: clear the forward-filled sides, and the history before the loss.

        *cause*: the ``cause`` of the ``gap`` to come, or `NO_SUBSCRIBERS`.
        """
        self.bid = self.ask = 0
        # A second loss before the first tick is part of the same gap, which keeps its first cause; but a loss without
        # subscribers does not hide one with some.
        if self.lost in ("", NO_SUBSCRIBERS):
            self.lost = cause
        self.resumable_from = self.seq + 1
        if self.history is not None:
            self.history.clear()

    def relist(self, symbol: Symbol) -> None:
        """A new symbol list has *symbol* under this name: the tick that may be sent again gets its id.

        Its digits stay: whoever gets it again decodes the price that was sent the first time. Where the id is another
        one, `lose` was called before, so that there is no history.
        """
        before, self.symbol = self.symbol, symbol
        if before.symbol_id != symbol.symbol_id and self.sent is not None:
            digits = self.sent.symbol.digits
            self.sent.symbol = symbol if digits == symbol.digits else replace(symbol, digits=digits)

    def keep_history(self, length: int) -> None:
        """Keep the newest *length* ticks from now on; does nothing if a history is kept already."""
        if self.history is None:
            self.history = deque(maxlen=length)
            self.resumable_from = max(self.resumable_from, self.seq)

    def since(self, seq: int, oldest_ms: int, limit: int) -> Sequence[Tick] | None:
        """The sent ticks after *seq*, oldest first; None unless all of them are there.

        *oldest_ms* bounds their age (Unix ms), *limit* their number.
        """
        missed = self.sent_seq - seq
        if missed == 0 and seq >= self.resumable_from:
            return ()
        if self.history is None or seq < self.resumable_from or not 0 < missed <= limit:
            return None
        ticks: list[Tick] = []
        for tick in reversed(self.history):
            if tick.seq <= seq:
                break
            if tick.seq <= self.sent_seq:
                ticks.append(tick)
        ticks.reverse()
        if len(ticks) != missed or ticks[0].timestamp_ms < oldest_ms:
            return None
        return ticks
