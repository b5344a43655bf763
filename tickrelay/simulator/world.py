"""What all connections of a simulator share: market, accounts, rules, subscriptions, and the market's one timer."""

import dataclasses
import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tickrelay.schedule import Schedule
from tickrelay.simulator.accounts import Accounts
from tickrelay.simulator.catalogue import Catalogue
from tickrelay.simulator.conditions import Conditions
from tickrelay.simulator.hours import HOLIDAYS, HOURS, ROUND_THE_CLOCK, Named
from tickrelay.simulator.instruments import Instrument, chosen
from tickrelay.simulator.market import Market, Quote
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.simulator.spots import SpotFrames, Subscription

if TYPE_CHECKING:
    from tickrelay.simulator.session import Session

HOLD_S = 0.2
"""How long reordered ticks are held."""
TURN_S = 0.005
"""The market wakes at most this often; what fell due meanwhile is sent together."""


class World:
    """One simulated broker. *now* gives Unix seconds; timers run on the clock that the factory was given."""

    _log = Logger()

    def __init__(self, settings: SimulatorSettings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.rules = settings.rules
        self.now = now
        self.random = random.Random(f"{settings.seed}/world")
        self.conditions = Conditions()
        self.accounts = Accounts(settings, now())
        self.instruments = {one.symbol_id: one for one in chosen(settings.symbols)}
        self.started_s = now()
        self.market = Market(
            list(self.instruments.values()),
            seed=settings.seed,
            now_s=self.started_s,
            rate=settings.rate,
            hours=lambda instrument: self.schedule(instrument).is_open,
        )
        self.market.catch_up_s *= settings.speed
        self.catalogue = Catalogue(self.instruments.values(), self.schedule, self._holidays)
        self.sessions: dict[int, Session] = {}
        self.watchers: list[Callable[[list[Quote]], None]] = []
        """Called with the quotes of each turn, before they are sent."""
        self._spots: dict[int, dict[tuple[int, int], Subscription]] = {i: {} for i in self.instruments}
        self._clock: IReactorTime | None = None
        self._turn: IDelayedCall | None = None
        self._connections = 0
        self._held: list[Quote] = []

    # time

    def market_now(self) -> float:
        """The market's time, Unix seconds: runs ``speed`` times as fast as the clock."""
        return self.started_s + (self.now() - self.started_s) * self.settings.speed

    def schedule(self, instrument: Instrument) -> Schedule:
        """The trading hours of an instrument, by the setting."""
        return HOURS[instrument.hours] if self.settings.schedule == "real" else ROUND_THE_CLOCK

    def _holidays(self, instrument: Instrument) -> tuple[Named, ...]:
        return HOLIDAYS[instrument.hours] if self.settings.schedule == "real" else ()

    def run(self, clock: IReactorTime) -> None:
        """Start the market's timer; again: no effect."""
        if self._clock is None:
            self._clock = clock
            self._wait()

    def stop(self) -> None:
        """Stop the market; connections stand."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._clock = None

    def wake(self) -> None:
        """The market's rate has changed: draw the waiting times anew."""
        self.market.restart()
        if self._turn is not None:
            self._turn.cancel()
            self._wait()

    def _wait(self) -> None:
        assert self._clock is not None
        wait_s = (self.market.next_s - self.market_now()) / self.settings.speed
        self._turn = self._clock.callLater(max(TURN_S, wait_s), self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        self.publish(self.market.advance(self.market_now()))
        if self._clock is not None:
            self._wait()

    # connections

    def admit(self, session: "Session") -> int:
        """Count a connection; returns its number."""
        self._connections += 1
        self.sessions[self._connections] = session
        return self._connections

    def dismiss(self, number: int) -> None:
        """The connection is gone, and with it all it had."""
        self.sessions.pop(number, None)
        for subscriptions in self._spots.values():
            for key in [key for key in subscriptions if key[0] == number]:
                subscriptions.pop(key).end()

    def change(self, **rules: object) -> None:
        """Change rules while the server runs."""
        self.rules = dataclasses.replace(self.rules, **rules)  # type: ignore[arg-type]

    # spots

    def subscription(self, number: int, account_id: int, symbol_id: int) -> Subscription | None:
        """The live subscription of one account on one connection; None also while only late ticks are due."""
        found = self._spots[symbol_id].get((number, account_id))
        return None if found is None or found.ending is not None else found

    def subscribe(self, subscription: Subscription, symbol_id: int) -> None:
        """From now on the subscription gets the symbol's quotes."""
        key = (subscription.session.number, subscription.account_id)
        if old := self._spots[symbol_id].get(key):
            old.end()
        self._spots[symbol_id][key] = subscription

    def unsubscribe(self, number: int, account_id: int, symbol_id: int) -> None:
        """No more quotes, but for those that are on their way (a real server sends late ones too)."""
        subscription = self._spots[symbol_id][number, account_id]
        late_s = self.rules.late_ticks_s

        def end() -> None:
            subscription.ending = None
            if self._spots[symbol_id].get((number, account_id)) is subscription:
                del self._spots[symbol_id][number, account_id]

        if self._clock is None or late_s <= 0:
            end()
        else:
            subscription.ending = self._clock.callLater(late_s, end)

    def forget(self, number: int, account_id: int) -> None:
        """Drop every subscription of one account on one connection, late ticks and all."""
        for subscriptions in self._spots.values():
            if found := subscriptions.pop((number, account_id), None):
                found.end()

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Send quotes to whoever subscribed to them: each is encoded once for all who get the same bytes."""
        quotes = list(quotes)
        for watcher in self.watchers:
            watcher(quotes)
        if self.conditions.silent_ticks:
            return
        if self.conditions.reordered:
            self._hold(quotes)
            return
        self._send(quotes)

    def _hold(self, quotes: list[Quote]) -> None:
        if not self._held and self._clock is not None:
            self._clock.callLater(HOLD_S, self._release)
        self._held += quotes

    def _release(self) -> None:
        held, self._held = self._held, []
        self._send(sorted(held, key=lambda quote: quote.symbol_id))  # stable: the order within a symbol stands

    def _send(self, quotes: Iterable[Quote]) -> None:
        timestamps = not self.conditions.no_timestamps
        batches: dict[Session, list[bytes]] = {}
        for quote in quotes:
            subscriptions = self._spots[quote.symbol_id]
            if not subscriptions:
                continue
            frames = SpotFrames(quote, timestamps)
            for subscription in subscriptions.values():
                if subscription.session.paused:
                    subscription.missed = True
                    continue
                batches.setdefault(subscription.session, []).append(frames.frame(subscription))
        for session, batch in batches.items():
            session.send_ticks(batch)
