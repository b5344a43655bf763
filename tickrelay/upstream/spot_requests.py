"""The spot subscriptions of one authorised connection: what cTrader confirmed, what is asked, what is refused.

Each request ends in one of four ways: confirmed, tried again later, divided to find the symbol that is refused, or
given up. An error that concerns the whole session goes to the owner.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.model.clock import Clock, Timer
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
"""How often a request is repeated after an answer of this code; after other temporary ones, until it succeeds."""

UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"


class SpotRequestsOwner(Protocol):
    """What the requests report to: the session."""

    def symbol_confirmed(self, name: str) -> None:
        """cTrader confirmed the symbol's subscription."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """cTrader refused the symbol, or does not have it."""

    def request_failed(self, error: Exception) -> None:
        """A request failed in a way that concerns the whole session."""


class SpotRequests:
    """Made once an authorised connection, of no use after `stop`. *changed* is called when an answer, or a time that
    has passed, may leave something to ask; its argument is how many seconds to wait before looking.

    *doubtful*: ids that may still be subscribed from before the account was authorised again on this connection.
    """

    _log = Logger()

    def __init__(
        self,
        link: OpenApiProtocol,
        table: SymbolTable,
        account_id: int,
        clock: Clock,
        owner: SpotRequestsOwner,
        changed: Callable[[float], None],
        doubtful: set[int],
    ) -> None:
        self.link = link
        self.table = table
        self._account_id = account_id
        self._clock = clock
        self._owner = owner
        self._changed = changed
        self._doubtful = doubtful
        self.confirmed: dict[int, int] = {}
        """Symbol id -> when cTrader confirmed it (Unix ms)."""
        self.confirmed_s: dict[int, float] = {}
        """Symbol id -> when cTrader confirmed it (monotonic seconds)."""
        self.refused: dict[str, str] = {}
        """Name -> cTrader's error code."""
        self._busy: set[int] = set()
        """Ids with a request on its way, or waiting to be repeated."""
        self._retrying: dict[int, Timer] = {}
        """Of these, the ones that wait to be repeated, after a temporary error."""
        self._touched_s: dict[int, float] = {}
        """Symbol id -> when it was last asked for (monotonic seconds)."""
        self._later: list[Timer] = []
        """Further tries of what was refused."""
        self._requests: set[Deferred[None]] = set()
        self._over = False

    def stop(self) -> None:
        """The account's session or the connection is gone: nothing is asked or reported any longer."""
        self._over = True
        for request in tuple(self._requests):
            request.cancel()
        for timer in (*self._retrying.values(), *self._later):
            if timer.active():
                timer.cancel()

    @property
    def standing(self) -> set[int]:
        """Ids that are subscribed at cTrader, or may be."""
        return {*self.confirmed, *self._busy, *self._doubtful}

    def approach(self, target: set[int]) -> bool:
        """Ask for what makes the confirmed set equal to *target*; True: nothing is left to ask but what waits to
        be repeated after a temporary error.
        """
        drop = self._ready((self.confirmed.keys() | self._doubtful) - target)
        add = self._ready(target - self.confirmed.keys())
        for batch in batches(drop):
            self._ask(batch, subscribe=False)
        for batch in batches(add):
            self._ask(batch, subscribe=True)
        waiting = self._retrying.keys()
        return self._busy <= waiting and target ^ (self.confirmed.keys() | self._doubtful) <= waiting

    def renew(self, ids: Iterable[int]) -> list[str]:
        """Unsubscribe these where they are confirmed, so that they are subscribed again; returns their names."""
        dead = [i for i in ids if i in self.confirmed and i not in self._busy]
        for batch in batches(dead):
            self._ask(batch, subscribe=False)
        return [self.table.by_id[i].name for i in dead if i in self.table.by_id]

    def refuse_if_unknown(self, name: str) -> None:
        """Report a name that the table does not have, once."""
        if name not in self.table.by_name and name not in self.refused:
            self.refused[name] = UNKNOWN_SYMBOL
            self._owner.symbol_refused(name, UNKNOWN_SYMBOL, "not in the account's symbol list")

    def _ready(self, ids: set[int]) -> list[int]:
        now_s = self._clock.monotonic_s()
        ready = []
        for symbol_id in sorted(ids - self._busy):
            wait_s = self._touched_s.get(symbol_id, -SPACING_S) + SPACING_S - now_s
            if wait_s > 0:
                self._changed(wait_s)
            else:
                ready.append(symbol_id)
        return ready

    # One request.

    def _ask(self, ids: list[int], *, subscribe: bool, tries: int = 0) -> None:
        if self._over:
            return
        self._busy.update(ids)
        for symbol_id in ids:
            self._retrying.pop(symbol_id, None)
        self._touched_s.update(dict.fromkeys(ids, self._clock.monotonic_s()))
        message = (
            ProtoOASubscribeSpotsReq(ctidTraderAccountId=self._account_id, symbolId=ids, subscribeToSpotTimestamp=True)
            if subscribe
            else ProtoOAUnsubscribeSpotsReq(ctidTraderAccountId=self._account_id, symbolId=ids)
        )

        def failed(failure: Failure) -> None:
            failure.trap(OpenApiError, RequestTimeout, LinkLost, CancelledError)
            if not self._over and isinstance(failure.value, Exception):
                self._failed(ids, subscribe, tries, failure.value)

        def done(result: object) -> object:
            self._requests.discard(request)
            return result

        request: Deferred[None] = self.link.request(message).addCallback(lambda _: self._answered(ids, subscribe))
        self._requests.add(request)
        request.addErrback(failed).addBoth(done)
        request.addErrback(lambda f: self._log.failure("subscribing failed", f))

    def _answered(self, ids: list[int], subscribe: bool) -> None:
        if self._over:
            return
        self._busy.difference_update(ids)
        self._doubtful.difference_update(ids)
        if subscribe:
            self.confirmed.update(dict.fromkeys(ids, self._clock.wall_ms()))
            self.confirmed_s.update(dict.fromkeys(ids, self._clock.monotonic_s()))
            for symbol_id in ids:
                symbol = self.table.by_id.get(symbol_id)
                if symbol is not None:
                    self._owner.symbol_confirmed(symbol.name)
        else:
            for symbol_id in ids:
                self.confirmed.pop(symbol_id, None)
                self.confirmed_s.pop(symbol_id, None)
        self._changed(0)

    def _failed(self, ids: list[int], subscribe: bool, tries: int, error: Exception) -> None:
        chosen = reaction(error)
        if not isinstance(error, OpenApiError) or chosen in SESSION_WIDE:
            self._busy.difference_update(ids)
            if chosen is not Reaction.IGNORE:
                self._owner.request_failed(error)
        elif chosen in (Reaction.RETRY, Reaction.PAUSE) and tries < MAX_RETRIES.get(error.code, sys.maxsize):
            again = self._clock.call_later(
                min(RETRY_MOST_S, 2.0 ** min(tries, 6)), lambda: self._ask(ids, subscribe=subscribe, tries=tries + 1)
            )
            self._retrying.update(dict.fromkeys(ids, again))
            self._changed(0)
        elif len(ids) > 1 and chosen in (Reaction.ACCEPT, Reaction.DIVIDE):
            # Which one is it? One by one where most hold already, else by halves.
            step = 1 if chosen is Reaction.ACCEPT else (len(ids) + 1) // 2
            for part in batches(ids, step):
                self._ask(part, subscribe=subscribe)
        elif chosen is Reaction.ACCEPT or error.code == "NO_QUOTES" or not subscribe:
            # NO_QUOTES: subscribed, but without a price yet. An unsubscription that is refused leaves nothing to do.
            self._answered(ids, subscribe)
        else:
            self._give_up(ids, error)

    def _give_up(self, ids: list[int], error: OpenApiError) -> None:
        self._busy.difference_update(ids)
        self._doubtful.difference_update(ids)
        for symbol_id in ids:
            symbol = self.table.by_id.get(symbol_id)
            if symbol is not None:
                self.refused[symbol.name] = error.code
                self._owner.symbol_refused(symbol.name, error.code, error.description)
        if error.error_class is not ErrorClass.SYMBOL:
            self._later.append(self._clock.call_later(REFUSED_AGAIN_S, lambda: self._try_again(ids)))
        self._changed(0)

    def _try_again(self, ids: list[int]) -> None:
        self._later = [timer for timer in self._later if timer.active()]
        for symbol_id in ids:
            symbol = self.table.by_id.get(symbol_id)
            if symbol is not None:
                self.refused.pop(symbol.name, None)
        self._changed(0)
