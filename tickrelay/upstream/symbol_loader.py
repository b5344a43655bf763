"""The session's symbol table, kept up to date: loaded once a connection, refreshed when cTrader announces changes."""

from collections.abc import Iterable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tickrelay.model.clock import Clock
from tickrelay.upstream.errors import UpstreamError
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.reactions import SESSION_WIDE, reaction
from tickrelay.upstream.symbol_table import SymbolTable
from tickrelay.upstream.symbol_values import MAX_SYMBOLS
from tickrelay.upstream.timers import Timers

REFRESH_EVERY_S = 1.0
RELOAD_EVERY_S = 30.0
"""After a refresh that asked for the whole list, which takes the reactor long."""


class SymbolLoaderOwner(Protocol):
    """What the loader reports to: the session."""

    def symbols_loaded(self) -> None:
        """`SymbolLoader.table` is a new one."""

    def symbols_refreshed(self) -> None:
        """Symbols of the table came, went or changed."""

    def symbols_outdated(self) -> None:
        """It is time for the next `SymbolLoader.refresh`."""

    def request_failed(self, error: Exception) -> None:
        """A refresh failed; what was known stays."""


class SymbolLoader:
    """Holds the table of the newest connection that loaded one; before the first, an empty table."""

    _log = Logger()

    def __init__(self, account_id: int, clock: Clock, owner: SymbolLoaderOwner) -> None:
        self._account_id = account_id
        self._clock = clock
        self._timers = Timers(clock)
        self._refreshing: OpenApiProtocol | None = None
        """The connection on which a refresh has no answer yet."""
        self._next_s = 0.0
        """When the next refresh may be made (monotonic seconds)."""
        self._owner = owner
        self.table = SymbolTable()
        self._link: OpenApiProtocol | None = None
        """The connection that loaded the table: ids are good for one connection."""
        self._outdated: set[int] = set()
        """Ids of symbols that changed while they could not be asked for."""

    async def load(self, link: OpenApiProtocol) -> None:
        """Load the table, unless *link* has loaded it already. Raises UpstreamError."""
        if self._link is link:
            return  # the account was authorised again on the same connection: the ids hold
        table = SymbolTable()
        self._outdated.clear()  # from here on, for this table
        await table.load(link, self._account_id)
        self.table, self._link = table, link
        self._log.info("{count} symbols", count=len(table.by_name))
        self._owner.symbols_loaded()
        link.deliver_spots()

    def forget_link(self) -> None:
        """The connection is gone: the next one loads anew, and refreshes in progress are void."""
        self._link = self._refreshing = None
        self._timers.cancel_all()

    def outdated(self, ids: Iterable[int]) -> None:
        """cTrader announced that these symbols changed; the next `refresh` asks for them.

        The event may come while the table loads, and overtake an answer with the old data.
        """
        self._outdated.update(ids)
        if len(self._outdated) > 2 * MAX_SYMBOLS:
            # A server may invent ids for ever. One that is unknown stands for all: it has the whole list asked for.
            unknown = next(iter(self._outdated - self.table.by_id.keys()))
            self._outdated &= self.table.by_id.keys()
            self._outdated.add(unknown)

    def refresh(self) -> None:
        """Ask for what is outdated, on an authorised connection whose table is loaded; one refresh at a time, and some
        seconds after the last one. `SymbolLoaderOwner.symbols_outdated` is called when it is time for what waits.
        """
        if not self._outdated or self._link is None or self._refreshing is not None:
            return
        wait_s = self._next_s - self._clock.monotonic_s()
        if wait_s > 0:
            if not self._timers.running("refresh"):
                self._timers.after("refresh", wait_s, self._owner.symbols_outdated)
            return
        ids, self._outdated = self._outdated, set()
        link = self._refreshing = self._link
        reload = not ids <= self.table.by_id.keys()

        def done(_: object) -> None:
            if link is self._refreshing:
                self._refreshing = None
                self._next_s = self._clock.monotonic_s() + (RELOAD_EVERY_S if reload else REFRESH_EVERY_S)
                self._owner.symbols_outdated()

        refresh = Deferred.fromCoroutine(self._refresh(link, ids))
        refresh.addErrback(lambda f: self._log.failure("refreshing symbols failed", f)).addCallback(done)

    async def _refresh(self, link: OpenApiProtocol, ids: set[int]) -> None:
        try:
            changed = await self.table.refresh(link, self._account_id, ids)
        except UpstreamError as e:
            if link is self._link:
                if reaction(e) in SESSION_WIDE:
                    self._outdated |= ids  # asked for again when the account is authorised again
                self._owner.request_failed(e)
            return
        if changed and link is self._link:
            self._log.info("{count} symbols changed", count=len(ids))
            self._owner.symbols_refreshed()
