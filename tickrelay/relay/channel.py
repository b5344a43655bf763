"""One symbol in the relay: its last value, its sequence, and what is needed to resume it."""

from collections import deque
from collections.abc import Sequence

from tickrelay.model.ticks import Symbol, Tick

NO_SUBSCRIBERS = "no-subscribers"
"""Cause of a loss that no client noticed, since none subscribed the symbol: never declared as a gap."""


class Channel:
    """Made by the hub when a symbol is first asked for; kept for the run, so that its sequence never restarts."""

    __slots__ = (
        "ask",
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
        """Its place in the lists that the hub and the encoding groups keep by channel."""
        self.bid = 0
        self.ask = 0
        """Forward-filled sides, 1/100000; 0 while unknown."""
        self.seq = 0
        """The sequence number of the newest tick; ticks count from 1."""
        self.last: Tick | None = None
        """The newest tick."""
        self.sent: Tick | None = None
        """The newest tick that a flush has handed out. Whoever joins between two flushes starts from here."""
        self.sent_seq = 0
        self.pending: list[Tick] = []
        """Ticks since the last flush, oldest first."""
        self.history: deque[Tick] | None = None
        """The newest ticks for clients that resume; kept only once a client that can resume has asked."""
        self.resumable_from = 0
        """The lowest sequence number a client may hold and still be told that it missed nothing but counted ticks."""
        self.lost = ""
        """Why ticks may have been missed since `last`; empty while the feed is whole."""

    def lose(self, cause: str) -> None:
        """Ticks may be missed from here on: void the forward-fill and what could be resumed across the hole.

        *cause* is the word that ``gap`` will carry, or `NO_SUBSCRIBERS`.
        """
        self.bid = self.ask = 0
        # A second loss before the first tick is the same hole: it keeps its first cause.
        self.lost = self.lost or cause
        self.resumable_from = self.seq + 1
        if self.history is not None:
            self.history.clear()

    def rename(self, symbol: Symbol) -> None:
        """The symbol has another id now: ticks that are sent again must not bring back the old one."""
        for tick in self.history or ():
            tick.symbol = symbol
        if self.sent is not None:
            self.sent.symbol = symbol

    def keep_history(self, length: int) -> None:
        """Remember the newest *length* ticks from now on."""
        if self.history is None:
            self.history = deque(maxlen=length)
            self.resumable_from = max(self.resumable_from, self.seq)

    def since(self, seq: int, oldest_ms: int, limit: int) -> Sequence[Tick] | None:
        """The handed-out ticks after *seq*, oldest first; None unless all of them are there.

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
