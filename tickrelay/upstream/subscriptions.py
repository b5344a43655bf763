"""What clients want against what cTrader confirmed, made equal: in batches, symbol by symbol, across reconnects.

A symbol with a request on its way is left alone until the answer is there; every answer looks again at what is wanted.
So whatever the order of wants, losses and answers, the confirmed set ends as the wanted one.
"""

from collections.abc import Iterable
from typing import Protocol

from tickrelay.model.clock import Clock, Timer
from tickrelay.model.feed import SymbolFeed
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.spot_requests import SpotRequests, SpotRequestsOwner
from tickrelay.upstream.symbol_table import SymbolTable


class SubscriptionsOwner(SpotRequestsOwner, Protocol):
    """What the subscriptions report to: the session."""

    def subscriptions_settled(self) -> None:
        """Nothing is left to ask for; reported again after each change."""


class Subscriptions:
    """The wanted set, kept for the lifetime of the service; the confirmed set, kept for one session.

    *linger_s*: how many seconds a symbol stays subscribed after the last client that wanted it.
    """

    def __init__(self, clock: Clock, owner: SubscriptionsOwner, linger_s: float) -> None:
        self._clock = clock
        self._owner = owner
        self._linger_s = linger_s
        self._wanted: set[str] = set()
        self._lingering: dict[str, Timer] = {}
        self._spots: SpotRequests | None = None
        """None: no account is authorised."""
        self._timer: Timer | None = None
        self._due_s = 0.0
        self._left_behind: tuple[OpenApiProtocol, set[int]] | None = None

    # What clients want.

    def want(self, name: str) -> None:
        """Some client wants the symbol."""
        linger = self._lingering.pop(name, None)
        if linger is not None:
            linger.cancel()
        self._wanted.add(name)
        self._look_again(0)

    def unwant(self, name: str) -> None:
        """No client wants it any longer: it lingers, since a page that reloads wants it again at once."""
        if name not in self._wanted:
            return
        self._wanted.discard(name)
        if name not in self._lingering:
            self._lingering[name] = self._clock.call_later(self._linger_s, lambda: self._lingered(name))

    def _lingered(self, name: str) -> None:
        del self._lingering[name]
        self._look_again(0)

    def explain(self, name: str) -> SymbolFeed:
        """What is known of one symbol."""
        spots = self._spots
        confirmed_at_ms, refused = 0, ""
        if spots is not None:
            symbol = spots.table.by_name.get(name)
            confirmed_at_ms = spots.confirmed.get(symbol.symbol_id, 0) if symbol is not None else 0
            refused = spots.refused.get(name, "")
        return SymbolFeed(wanted=name in self._wanted, confirmed_at_ms=confirmed_at_ms, refused=refused)

    @property
    def wanted(self) -> frozenset[str]:
        """The names that clients want now."""
        return frozenset(self._wanted)

    @property
    def confirmed(self) -> frozenset[int]:
        """The ids that cTrader confirmed in this session."""
        return frozenset(self._spots.confirmed) if self._spots is not None else frozenset()

    def confirmed_since(self) -> dict[int, float]:
        """The confirmed ids and when (monotonic seconds) they were."""
        return dict(self._spots.confirmed_s) if self._spots is not None else {}

    # The session.

    def attach(self, link: OpenApiProtocol, table: SymbolTable, account_id: int) -> None:
        """The account is authorised and *table* loaded; nothing is subscribed in this session yet."""
        self.detach()
        doubtful: set[int] = set()
        if self._left_behind is not None and self._left_behind[0] is link:
            # The account's session may have been lost in our belief alone: what was subscribed may be so still.
            doubtful = self._left_behind[1]
        self._left_behind = None
        self._spots = SpotRequests(link, table, account_id, self._clock, self._owner, self._look_again, doubtful)
        self._refuse_unknown(self._spots)

    def detach(self) -> None:
        """The session is gone, and with it everything that was confirmed."""
        spots, self._spots = self._spots, None
        if spots is not None:
            self._left_behind = spots.link, spots.standing
            spots.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def stop(self) -> None:
        """Forget the session and every timer; the wanted set stays."""
        self.detach()
        for linger in self._lingering.values():
            linger.cancel()
        self._lingering.clear()

    def renew(self, ids: Iterable[int]) -> list[str]:
        """Unsubscribe and subscribe again the symbols that are silent; returns their names."""
        return self._spots.renew(ids) if self._spots is not None else []

    def table_changed(self) -> None:
        """Symbols came or went: what was refused is asked for again."""
        if self._spots is not None:
            self._spots.refused.clear()
            self._refuse_unknown(self._spots)

    def _refuse_unknown(self, spots: SpotRequests) -> None:
        for name in sorted(self._wanted):
            spots.refuse_if_unknown(name)
        self._look_again(0)

    # Making them equal.

    def _look_again(self, delay_s: float) -> None:
        """Compare the sets in *delay_s*, or when an earlier call said so. 0 is the reactor's next turn: all that
        clients ask for in one turn leaves in one batch.
        """
        if self._spots is None:
            return
        due_s = self._clock.monotonic_s() + delay_s
        if self._timer is not None and self._timer.active():
            if self._due_s <= due_s:
                return
            self._timer.cancel()
        self._due_s = due_s
        self._timer = self._clock.call_later(delay_s, self._reconcile)

    def _reconcile(self) -> None:
        spots = self._spots
        if spots is not None and spots.approach(self._target(spots)):
            self._owner.subscriptions_settled()

    def _target(self, spots: SpotRequests) -> set[int]:
        target = set()
        for name in self._wanted | self._lingering.keys():
            symbol = spots.table.by_name.get(name)
            if symbol is None:
                if name in self._wanted:
                    spots.refuse_if_unknown(name)
            elif name not in spots.refused and (name in self._wanted or symbol.symbol_id in spots.confirmed):
                target.add(symbol.symbol_id)
        return target
