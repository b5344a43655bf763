"""The seams between the ends and the logic. There are two, and `tickrelay.service` joins them.

The feed (upstream, or a replay) and the relay know each other only by these; neither imports the other.
Symbols are named by their cTrader name, which outlives a session; ids are good for one session only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zope.interface import Interface

from tickrelay.model.status import FeedStatus
from tickrelay.model.ticks import Symbol


@dataclass(frozen=True, slots=True)
class SymbolFeed:
    """What the feed knows of one symbol's subscription, for a client that asks why it gets no ticks."""

    wanted: bool
    confirmed_at_ms: int
    """When cTrader confirmed the subscription in this session (Unix ms); 0: not confirmed."""
    refused: str = ""
    """cTrader's error code where it refused the symbol."""
    silent: bool = False
    """No spots for longer than usual, though the market is open."""


class IFeed(Interface):
    """Where ticks come from, as the relay sees it."""

    def want(name: str) -> None:
        """Some client wants the symbol now. Called on the first interest only; never fails, never blocks."""

    def unwant(name: str) -> None:
        """The last client that wanted the symbol is gone."""

    def explain(name: str) -> SymbolFeed:
        """What the feed knows of the symbol's subscription."""


class IFeedListener(Interface):
    """What the feed reports to; called in the reactor thread, must not raise."""

    def status_changed(status: FeedStatus) -> None:
        """The session went from one state to another; equal ones in a row are not repeated."""

    def symbols_loaded(symbols: Sequence[Symbol]) -> None:
        """The whole symbol list of a session: called before the first spot of the session, and after a change.

        Of new objects each time: by them the encodings tell a symbol of one list from that of the next.
        """

    def spot(symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """One spot event, 1/100000; 0 for a side that did not change. The only call on the way of a tick."""

    def feed_lost(cause: str, names: Sequence[str] | None) -> None:
        """Ticks may be missed from now on (of *names*, or of all): what was forward-filled is void.

        *cause* is the word that clients see in ``gap``: ``upstream-disconnect``, ``stale``, ``account-disconnect``.
        """

    def symbol_confirmed(name: str) -> None:
        """cTrader confirmed the symbol's subscription."""

    def symbol_refused(name: str, code: str, message: str) -> None:
        """cTrader refused the symbol: *code* is its error code."""
