"""What clients want against what cTrader confirmed, made equal: in batches, symbol by symbol, across reconnects.

A symbol with a request on its way is left alone until the answer is there; every answer looks again at what is wanted.
So whatever the order of wants, losses and answers, the confirmed set ends as the wanted one.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.model.clock import Clock, Timer
from tickrelay.model.feed import SymbolFeed
from tickrelay.openapi.messages_pb2 import ProtoOASubscribeSpotsReq, ProtoOAUnsubscribeSpotsReq
from tickrelay.upstream.errors import ErrorClass, LinkLost, OpenApiError, RequestTimeout
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import SESSION_WIDE, Reaction, reaction
from tickrelay.upstream.symbol_table import SymbolTable, batches

SPACING_S = 0.25
"""The least time between two requests for one symbol: a storm of clients must not become one upstream."""

RETRY_MOST_S = 60.0
REFUSED_AGAIN_S = 900.0
"""After that long, a symbol that was refused for no fault of its own is tried again."""

MAX_RETRIES = {"UNKNOWN_ERROR": 3, "CONCURRENT_MODIFICATION": 1}
"""How often a request is repeated after an answer that says that trouble passes; others for as long as it lasts."""

UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"


class SubscriptionsOwner(Protocol):
    """Who is told how the subscriptions fare: the session."""

    def symbol_confirmed(self, name: str) -> None:
        """cTrader confirmed the symbol."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """cTrader refused the symbol, or does not have it."""

    def subscriptions_settled(self) -> None:
        """Nothing is left to ask for; told again after each change."""

    def subscriptions_failed(self, error: Exception) -> None:
        """A request failed in a way that is the session's to mend."""


@dataclass(slots=True)
class _Session:
    """What one authorised connection knows."""

    link: OpenApiProtocol
    table: SymbolTable
    account_id: int
    confirmed: dict[int, int] = field(default_factory=dict)
    """Symbol id -> Unix ms of the confirmation."""
    confirmed_s: dict[int, float] = field(default_factory=dict)
    """Symbol id -> monotonic seconds of the confirmation."""
    busy: set[int] = field(default_factory=set)
    """Ids with a request on its way."""
    doubtful: set[int] = field(default_factory=set)
    """Ids that may still be subscribed from before the account was authorised again on this connection."""
    retrying: dict[int, Timer] = field(default_factory=dict)
    """Of these, the ones whose request waits for trouble at the other end to pass."""
    touched_s: dict[int, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    later: list[Timer] = field(default_factory=list)
    """Further tries of what was refused."""
    requests: "set[Deferred[None]]" = field(default_factory=set)
    over: bool = False


class Subscriptions:
    """The wanted set, kept for ever; the confirmed set, kept for one session."""

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        owner: SubscriptionsOwner,
        linger_s: float,
    ) -> None:
        self._clock = clock
        self._owner = owner
        self._linger_s = linger_s
        self._wanted: set[str] = set()
        self._lingering: dict[str, Timer] = {}
        self._session: _Session | None = None
        self._timer: Timer | None = None
        self._due_s = 0.0
        self._left_behind: tuple[OpenApiProtocol, set[int]] | None = None

    # What clients want.

    def want(self, name: str) -> None:
        """Somebody wants the symbol."""
        linger = self._lingering.pop(name, None)
        if linger is not None:
            linger.cancel()
        self._wanted.add(name)
        self._look_again(0)

    def unwant(self, name: str) -> None:
        """Nobody wants it any longer: it is kept a while, since a page that reloads is back at once."""
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
        session = self._session
        confirmed_at_ms, refused = 0, ""
        if session is not None:
            symbol = session.table.by_name.get(name)
            confirmed_at_ms = session.confirmed.get(symbol.symbol_id, 0) if symbol is not None else 0
            refused = session.refused.get(name, "")
        return SymbolFeed(wanted=name in self._wanted, confirmed_at_ms=confirmed_at_ms, refused=refused)

    @property
    def wanted(self) -> frozenset[str]:
        """The names that clients want now."""
        return frozenset(self._wanted)

    @property
    def confirmed(self) -> frozenset[int]:
        """The ids that cTrader confirmed in this session."""
        return frozenset(self._session.confirmed) if self._session is not None else frozenset()

    def confirmed_since(self) -> dict[int, float]:
        """The confirmed ids and when (monotonic seconds) they were."""
        return dict(self._session.confirmed_s) if self._session is not None else {}

    # The session.

    def attach(self, link: OpenApiProtocol, table: SymbolTable, account_id: int) -> None:
        """A session is authorised and knows its symbols; nothing is subscribed in it yet."""
        self.detach()
        self._session = _Session(link, table, account_id)
        if self._left_behind is not None and self._left_behind[0] is link:
            # Perhaps only we believed that the account's session was gone: what stood may stand yet.
            self._session.doubtful = self._left_behind[1]
        self._left_behind = None
        for name in sorted(self._wanted):
            self._refuse_if_unknown(name)
        self._look_again(0)

    def detach(self) -> None:
        """The session is gone, and with it everything that was confirmed."""
        session, self._session = self._session, None
        if session is not None:
            session.over = True
            self._left_behind = session.link, {*session.confirmed, *session.busy, *session.doubtful}
            for request in tuple(session.requests):
                request.cancel()
            for again in (*session.retrying.values(), *session.later):
                if again.active():
                    again.cancel()
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
        """Unsubscribe and subscribe again the symbols whose feed is dead; returns their names."""
        session = self._session
        if session is None:
            return []
        dead = [i for i in ids if i in session.confirmed and i not in session.busy]
        for batch in batches(dead):
            self._ask(session, batch, subscribe=False)
        return [session.table.by_id[i].name for i in dead if i in session.table.by_id]

    def table_changed(self) -> None:
        """Symbols came or went: what was refused is worth another try."""
        if self._session is not None:
            self._session.refused.clear()
            for name in sorted(self._wanted):
                self._refuse_if_unknown(name)
            self._look_again(0)

    # Making them equal.

    def _look_again(self, delay_s: float) -> None:
        if self._session is None:
            return
        due_s = self._clock.monotonic_s() + delay_s
        if self._timer is not None and self._timer.active():
            if self._due_s <= due_s:
                return
            self._timer.cancel()
        self._due_s = due_s
        # The next turn: all that clients ask for in one turn leaves in one batch.
        self._timer = self._clock.call_later(delay_s, self._reconcile)

    def _reconcile(self) -> None:
        session = self._session
        if session is None:
            return
        now = self._clock.monotonic_s()
        target = self._target(session)
        drop = self._ready(session, (session.confirmed.keys() | session.doubtful) - target, now)
        add = self._ready(session, target - session.confirmed.keys(), now)
        for batch in batches(drop):
            self._ask(session, batch, subscribe=False)
        for batch in batches(add):
            self._ask(session, batch, subscribe=True)
        waiting = session.retrying.keys()
        if session.busy <= waiting and target ^ (session.confirmed.keys() | session.doubtful) <= waiting:
            self._owner.subscriptions_settled()

    def _target(self, session: _Session) -> set[int]:
        target = set()
        for name in self._wanted | self._lingering.keys():
            symbol = session.table.by_name.get(name)
            if symbol is None:
                if name in self._wanted:
                    self._refuse_if_unknown(name)
            elif name not in session.refused and (name in self._wanted or symbol.symbol_id in session.confirmed):
                target.add(symbol.symbol_id)
        return target

    def _ready(self, session: _Session, ids: set[int], now: float) -> list[int]:
        ready = []
        for symbol_id in sorted(ids - session.busy):
            wait = session.touched_s.get(symbol_id, -SPACING_S) + SPACING_S - now
            if wait > 0:
                self._look_again(wait)
            else:
                ready.append(symbol_id)
        return ready

    def _refuse_if_unknown(self, name: str) -> None:
        session = self._session
        if session is not None and name not in session.table.by_name and name not in session.refused:
            session.refused[name] = UNKNOWN_SYMBOL
            self._owner.symbol_refused(name, UNKNOWN_SYMBOL, "not in the account's symbol list")

    # One request.

    def _ask(self, session: _Session, ids: list[int], *, subscribe: bool, tries: int = 0) -> None:
        if session.over:
            return
        session.busy.update(ids)
        for symbol_id in ids:
            session.retrying.pop(symbol_id, None)
        session.touched_s.update(dict.fromkeys(ids, self._clock.monotonic_s()))
        message = (
            ProtoOASubscribeSpotsReq(
                ctidTraderAccountId=session.account_id, symbolId=ids, subscribeToSpotTimestamp=True
            )
            if subscribe
            else ProtoOAUnsubscribeSpotsReq(ctidTraderAccountId=session.account_id, symbolId=ids)
        )

        def failed(failure: Failure) -> None:
            failure.trap(OpenApiError, RequestTimeout, LinkLost, CancelledError)
            if not session.over and isinstance(failure.value, Exception):
                self._refused(session, ids, subscribe, tries, failure.value)

        def done(result: object) -> object:
            session.requests.discard(request)
            return result

        request: Deferred[None] = session.link.request(message).addCallback(
            lambda _: self._answered(session, ids, subscribe)
        )
        session.requests.add(request)
        request.addErrback(failed).addBoth(done)
        request.addErrback(lambda f: self._log.failure("subscribing failed", f))

    def _answered(self, session: _Session, ids: list[int], subscribe: bool) -> None:
        if session.over:
            return
        session.busy.difference_update(ids)
        session.doubtful.difference_update(ids)
        if subscribe:
            session.confirmed.update(dict.fromkeys(ids, self._clock.wall_ms()))
            session.confirmed_s.update(dict.fromkeys(ids, self._clock.monotonic_s()))
            for symbol_id in ids:
                symbol = session.table.by_id.get(symbol_id)
                if symbol is not None:
                    self._owner.symbol_confirmed(symbol.name)
        else:
            for symbol_id in ids:
                session.confirmed.pop(symbol_id, None)
                session.confirmed_s.pop(symbol_id, None)
        self._look_again(0)

    def _refused(self, session: _Session, ids: list[int], subscribe: bool, tries: int, error: Exception) -> None:
        chosen = reaction(error)
        if not isinstance(error, OpenApiError) or chosen in SESSION_WIDE:
            session.busy.difference_update(ids)
            if chosen is not Reaction.IGNORE:
                self._owner.subscriptions_failed(error)
        elif chosen in (Reaction.RETRY, Reaction.PAUSE) and tries < MAX_RETRIES.get(error.code, sys.maxsize):
            again = self._clock.call_later(
                min(RETRY_MOST_S, 2.0 ** min(tries, 6)),
                lambda: self._ask(session, ids, subscribe=subscribe, tries=tries + 1),
            )
            session.retrying.update(dict.fromkeys(ids, again))
            self._look_again(0)
        elif len(ids) > 1 and chosen in (Reaction.ACCEPT, Reaction.DIVIDE):
            # Which one is it? One by one where most are fine already, else by halves.
            step = 1 if chosen is Reaction.ACCEPT else (len(ids) + 1) // 2
            for part in batches(ids, step):
                self._ask(session, part, subscribe=subscribe)
        elif chosen is Reaction.ACCEPT or error.code == "NO_QUOTES" or not subscribe:
            # Nothing to unsubscribe, nothing more to subscribe, or no price yet: as good as done.
            self._answered(session, ids, subscribe)
        else:
            self._give_up(session, ids, error)

    def _give_up(self, session: _Session, ids: list[int], error: OpenApiError) -> None:
        session.busy.difference_update(ids)
        session.doubtful.difference_update(ids)
        for symbol_id in ids:
            symbol = session.table.by_id.get(symbol_id)
            if symbol is not None:
                session.refused[symbol.name] = error.code
                self._owner.symbol_refused(symbol.name, error.code, error.description)
        if error.error_class is not ErrorClass.SYMBOL:
            session.later.append(self._clock.call_later(REFUSED_AGAIN_S, lambda: self._try_again(session, ids)))
        self._look_again(0)

    def _try_again(self, session: _Session, ids: list[int]) -> None:
        session.later = [call for call in session.later if call.active()]
        for symbol_id in ids:
            symbol = session.table.by_id.get(symbol_id)
            if symbol is not None:
                session.refused.pop(symbol.name, None)
        self._look_again(0)
