"""FeedWatchdog: sends heartbeats, checks the clocks of `liveness` every few seconds, and reports what is dead."""

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.config.settings import CTraderSettings
from tickrelay.model.clock import Clock
from tickrelay.model.periodic import PeriodicJobs
from tickrelay.openapi.messages_pb2 import ProtoOAVersionReq, ProtoOAVersionRes
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import Cause, Kind, LinkLost, OpenApiError, RequestTimeout
from tickrelay.upstream.liveness import CHECK_S, DataClock, LinkClock, LinkState
from tickrelay.upstream.protocol import OpenApiProtocol
from tickrelay.upstream.subscriptions import Subscriptions
from tickrelay.upstream.symbol_table import SymbolTable


class WatchdogOwner(Protocol):
    """What the watchdog reports to: the session."""

    def drop(self, cause: Cause) -> None:
        """The connection carries nothing, or carries no data and asking again did not help."""

    def data_silent(self, message: str) -> None:
        """No spots though the market is open: they were asked for again."""

    def data_flows(self) -> None:
        """Spots flow again."""

    def symbols_silent(self, names: list[str]) -> None:
        """These symbols have no spots though others have, and may have missed some."""


class FeedWatchdog:
    """Watches one connection at a time, from `watch` to `idle`."""

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        settings: CTraderSettings,
        counters: Counters,
        subscriptions: Subscriptions,
        owner: WatchdogOwner,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._counters = counters
        self._subscriptions = subscriptions
        self._owner = owner
        self.jobs: Sequence[PeriodicJobs] = (
            PeriodicJobs(clock.monotonic_s, clock.call_later, settings.heartbeat_s, {"upstream_heartbeat": self._beat}),
            PeriodicJobs(clock.monotonic_s, clock.call_later, CHECK_S, {"upstream_watchdog": self._check}),
        )
        """They run from `watch` to `idle`."""
        self._data = DataClock(settings.data_silence_s, settings.symbol_silence_s)
        self._link_clock = LinkClock(settings.link_silence_s)
        self._link: OpenApiProtocol | None = None
        self._table: SymbolTable | None = None
        self._spots_at_start = 0
        self._asked_again: tuple[float, int] | None = None
        """While the feed is dead: when it was asked for again, and the count of spots that prove it alive."""
        self.silent: frozenset[str] = frozenset()
        """Names of symbols that are silent beyond their rhythm."""

    def watch(self, link: OpenApiProtocol) -> None:
        """TLS is complete: heartbeats begin, and the link is checked."""
        self._link = link
        self._link_clock = LinkClock(self._settings.link_silence_s)
        for jobs in self.jobs:
            jobs.stop()
            jobs.start()

    def judge(self, table: SymbolTable) -> None:
        """The account is authorised and the symbols are being subscribed: data is checked as well."""
        self._table = table
        self._asked_again = None
        self._spots_at_start = self._counters.spots
        self._data.begin()

    def suspend(self) -> None:
        """The account's session is gone: no data is due."""
        self._table = None
        self._asked_again = None
        self.silent = frozenset()

    def idle(self) -> None:
        """The connection is given up: no timer runs until the next `watch`."""
        self.suspend()
        self._link = None
        for jobs in self.jobs:
            jobs.stop()

    def _beat(self) -> None:
        if self._link is not None:
            self._link.heartbeat()

    def _check(self) -> None:
        link = self._link
        if link is None:
            return
        state = self._link_clock.check(self._clock.monotonic_s(), link.last_frame_s)
        if state == LinkState.DEAD:
            self._half_open()
        elif state == LinkState.PROBE:
            self._probe(link)
        elif self._table is not None:
            self._check_data(link, self._table)

    def _half_open(self) -> None:
        if self._link is not None:
            silent_s = self._clock.monotonic_s() - self._link.last_frame_s
            self._owner.drop(Cause(Kind.NETWORK, f"nothing came from cTrader for {silent_s:.0f} s"))

    def _probe(self, link: OpenApiProtocol) -> None:
        def failed(failure: Failure) -> None:
            # Any answer is a sign of life, an error as well.
            if failure.check(RequestTimeout) and link is self._link:
                self._half_open()
            else:
                failure.trap(OpenApiError, RequestTimeout, LinkLost, CancelledError)

        link.request(ProtoOAVersionReq(), ProtoOAVersionRes).addErrback(failed).addErrback(
            lambda f: self._log.failure("probing the link failed", f)
        )

    def _check_data(self, link: OpenApiProtocol, table: SymbolTable) -> None:
        now_s = self._clock.monotonic_s()
        confirmed = self._subscriptions.confirmed_since()
        verdict = self._data.check(now_s, self._clock.wall_ms() / 1000, confirmed, link.spot_times, table.by_id)
        if self._asked_again is not None:
            self._wait_for_data(now_s)
            return
        # cTrader sends one spot for each subscription, with the last price: only more than those show that data flows.
        if self._counters.spots - self._spots_at_start > 2 * len(confirmed) + 2:
            self._data.flows()
        self.silent = frozenset(table.by_id[i].name for i in (verdict.dead or verdict.silent) if i in table.by_id)
        if verdict.dead:
            names = self._ask_again(verdict.dead)
            self._asked_again = (now_s, self._counters.spots + len(names) + 1)
            self._counters.stale_feeds += 1
            self._owner.data_silent(f"no ticks for {verdict.silent_s:.0f} s though the market is open")
        elif verdict.silent:
            names = self._ask_again(verdict.silent)
            self._counters.stale_symbols += len(names)
            if names:
                self._owner.symbols_silent(names)

    def _ask_again(self, ids: tuple[int, ...]) -> list[str]:
        names = self._subscriptions.renew(ids)
        self._data.asked_again(names)
        return names

    def _wait_for_data(self, now_s: float) -> None:
        assert self._asked_again is not None
        since_s, proof = self._asked_again
        if self._counters.spots >= proof:
            self._asked_again = None
            self.silent = frozenset()
            self._data.flows()
            self._owner.data_flows()
        elif now_s - since_s > self._settings.data_silence_s:
            self._data.reconnected_in_vain()
            self._owner.drop(
                Cause(Kind.STALE, "no ticks though the market is open, and subscribing again did not help")
            )
