"""What all connections of a simulator share: market, accounts, rules, subscriptions, and the market's one timer."""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tickrelay.model.quotes import Quote
from tickrelay.openapi.messages_pb2 import ProtoOASymbolChangedEvent
from tickrelay.openapi.model_pb2 import ProtoOALightSymbol, ProtoOASymbol
from tickrelay.simulator.accounts import Accounts
from tickrelay.simulator.active_faults import ActiveFaults
from tickrelay.simulator.market.depth import DepthBooks
from tickrelay.simulator.market.history import History
from tickrelay.simulator.market.hours import shut
from tickrelay.simulator.market.market_setup import open_market
from tickrelay.simulator.market.source import Listings, Source
from tickrelay.simulator.peer import Peer, Subscriber
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.simulator.spots import SpotFrames, Subscription


class Recording(Source, Listings, Protocol):
    """A source of quotes with a catalogue of its own."""

    def close(self) -> None:
        """Close the files."""


HOLD_S = 0.2
"""How long reordered ticks are held."""
IDLE_S = 60.0
"""The market's timer fires at least this often."""
TURN_S = 0.005
"""The market's timer fires at most this often; what fell due in between is sent together."""


class SimulatedBroker:
    """One simulated broker. *now* returns Unix seconds; timers run on the clock given to `run`.

    A *recording* replaces the random market. Raises SettingError for settings that contradict each other.
    """

    _log = Logger()

    def __init__(
        self, settings: SimulatorSettings, now: Callable[[], float], recording: Recording | None = None
    ) -> None:
        self.settings = settings
        self.rules = settings.rules
        self.now = now
        self.random = random.Random(f"{settings.seed}/broker")
        self.active_faults = ActiveFaults()
        self.accounts = Accounts(settings, now())
        self.started_s = self._now_s = now()
        self._shift_s = 0.0
        self.source: Source
        self.catalogue: Listings
        if recording is not None:
            self.source = self.catalogue = recording
            self.history = History(None)
        else:
            self.source, self.catalogue, backfill = open_market(
                settings.symbols,
                seed=settings.seed,
                now_s=self.started_s,
                rate=settings.rate,
                speed=settings.speed,
                real_hours=settings.schedule == "real",
            )
            self.history = History(backfill)
        self.closure_announced = False
        """Every market is shut, and the schedules sent to clients agree (a fault)."""
        self.depth = DepthBooks(settings.seed)
        self.sessions: dict[int, Peer] = {}
        self._spots: defaultdict[int, dict[tuple[int, int], Subscription]] = defaultdict(dict)
        self._listed: list[ProtoOALightSymbol] = []
        self._trades: set[int] = set()
        self._clock: IReactorTime | None = None
        self._turn: IDelayedCall | None = None
        self._connections = 0
        self._held: list[Quote] = []

    def trades(self, symbol_id: int) -> bool:
        """Whether the symbol exists and is enabled."""
        if self._listed is not self.catalogue.light_symbols:  # a recording can bring a new list
            self._listed = self.catalogue.light_symbols
            self._trades = {symbol.symbolId for symbol in self._listed if symbol.enabled}
        return symbol_id in self._trades

    def full_symbols(self, ids: Iterable[int]) -> list[ProtoOASymbol]:
        """The full symbols of *ids* that exist, in the catalogue's order; closed ones during an announced closure."""
        wanted = set(ids)
        found = [symbol for symbol_id, symbol in self.catalogue.full_symbols.items() if symbol_id in wanted]
        return [shut(symbol) for symbol in found] if self.closure_announced else found

    def symbols_changed(self, ids: Iterable[int]) -> None:
        """Send 2120 to every account that is open on a connection."""
        changed = list(ids)
        for session in list(self.sessions.values()):
            for account_id in session.accounts:
                session.send(ProtoOASymbolChangedEvent(ctidTraderAccountId=account_id, symbolId=changed))

    # time

    def market_now(self) -> float:
        """The market's time, Unix seconds: runs ``speed`` times as fast as the clock."""
        now_s = self.now()
        if now_s < self._now_s - 1.0:
            self._shift_s += self._now_s - now_s  # the system clock was set back: market time goes on
        self._now_s = now_s
        return self.started_s + (now_s + self._shift_s - self.started_s) * self.settings.speed

    def run(self, clock: IReactorTime) -> None:
        """Start the market's timer; again: no effect."""
        if self._clock is None:
            self._clock = clock
            self._wait()

    def stop(self) -> None:
        """Stop the market's timer; connections stay open."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._clock = None

    def restart(self) -> None:
        """Draw the times of the next quotes anew, after a change of the rate."""
        self.source.restart()
        self.wake()

    def wake(self) -> None:
        """Set the timer anew: a quote may be due earlier than before."""
        if self._turn is not None:
            self._turn.cancel()
            self._wait()

    def _wait(self) -> None:
        assert self._clock is not None
        wait_s = (self.source.next_s - self.market_now()) / self.settings.speed
        self._turn = self._clock.callLater(min(max(TURN_S, wait_s), IDLE_S), self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        self.publish(self.source.advance(self.market_now()))
        if self._clock is not None:
            self._wait()

    # connections

    def admit(self, session: Peer) -> int:
        """Count a connection; returns its number."""
        self._connections += 1
        self.sessions[self._connections] = session
        return self._connections

    def dismiss(self, number: int) -> None:
        """Remove a closed connection and its subscriptions."""
        self.sessions.pop(number, None)
        self.forget(number)

    def change(self, **rules: object) -> None:
        """Change rules while the server runs."""
        self.rules = dataclasses.replace(self.rules, **rules)  # type: ignore[arg-type]

    # spots

    def subscription(self, number: int, account_id: int, symbol_id: int) -> Subscription | None:
        """The live subscription of one account on one connection; None also while only late ticks are due."""
        found = self._spots.get(symbol_id, {}).get((number, account_id))
        return None if found is None or found.ending is not None else found

    def subscribe(self, subscription: Subscription, symbol_id: int) -> None:
        """From now on the subscription gets the symbol's quotes."""
        key = (subscription.session.number, subscription.account_id)
        if old := self._spots[symbol_id].get(key):
            old.end()
        self._spots[symbol_id][key] = subscription

    def unsubscribe(self, number: int, account_id: int, symbol_id: int) -> None:
        """End a subscription; ticks go on for the rule ``late_ticks_s``, as from the live server."""
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

    def forget(self, number: int, account_id: int | None = None) -> None:
        """Drop every subscription of a connection, or of one account on it, late ticks and all."""
        self.depth.forget(number, account_id)
        for subscriptions in self._spots.values():
            for key in [k for k in subscriptions if k[0] == number and account_id in (None, k[1])]:
                subscriptions.pop(key).end()

    def publish(self, quotes: list[Quote]) -> None:
        """Send quotes to their subscribers; each is encoded once for all that get the same bytes."""
        self.history.quotes(quotes, round(self.market_now() * 1000))
        if self.active_faults.silent_ticks:
            return
        if self.active_faults.reordered:
            self._hold(quotes)
            return
        self._send(quotes)

    def _hold(self, quotes: list[Quote]) -> None:
        if not self._held and self._clock is not None:
            self._clock.callLater(HOLD_S, self._release)
        self._held += quotes

    def _release(self) -> None:
        held, self._held = self._held, []
        self._send(sorted(held, key=lambda quote: quote.symbol_id))  # stable: the order within a symbol is kept

    def _send(self, quotes: list[Quote]) -> None:
        timestamps = not self.active_faults.no_timestamps
        batches: dict[Subscriber, list[bytes]] = {}
        for quote in quotes:
            subscriptions = self._spots.get(quote.symbol_id)
            if not subscriptions:
                continue
            frames = SpotFrames(quote, timestamps, self.history)
            for subscription in subscriptions.values():
                if subscription.session.paused or subscription.account_id not in subscription.session.accounts:
                    subscription.missed = True
                    continue
                batches.setdefault(subscription.session, []).append(frames.frame(subscription))
        for session, frame in self.depth.follow(quotes):
            batches.setdefault(session, []).append(frame)
        for session, batch in batches.items():
            session.send_ticks(batch)
