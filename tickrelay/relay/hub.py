"""Subscriptions: symbols to channels, channels to clients; and ``gap`` messages when ticks may have been missed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from zope.interface import implementer

from tickrelay.config.settings import RelaySettings
from tickrelay.model.clock import Clock
from tickrelay.model.feed import IFeed, IFeedListener, SymbolFeed
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.relay.channel import NO_SUBSCRIBERS, Channel
from tickrelay.relay.fanout import Fanout
from tickrelay.relay.gaps import send_gap
from tickrelay.relay.outbox import Outbox
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import Gap

NO_ID = 0
"""Id of a symbol that left the list and whose id another one has now; cTrader's ids are positive."""


class Observer(Protocol):
    """Sends clients what is no tick: implemented by the WebSocket factory."""

    def status_changed(self, status: FeedStatus) -> None:
        """The feed's status has changed; `Hub.status` has the new one already."""

    def symbols_changed(self) -> None:
        """The symbol list was loaded."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """cTrader refused the symbol *name* with the error *code*; clients may subscribe it."""

    def first_subscribed(self, channel: Channel) -> None:
        """A channel without subscribers is about to get one."""


@implementer(IFeedListener)
class Hub:
    """Between the feed, whose listener it is, and the clients, who subscribe here."""

    def __init__(self, clock: Clock, encodings: Iterable[Encoding], settings: RelaySettings, epoch: str) -> None:
        self.feed: IFeed | None = None
        self.observer: Observer | None = None
        self.status = FeedStatus(Status.WS_CONNECTING, FeedState.IDLE)
        self.symbols: Mapping[str, Symbol] = {}
        self.settings = settings
        self.fanout = Fanout(clock, encodings, settings)
        self.epoch = epoch
        self.channels: dict[str, Channel] = {}
        self.spots = 0
        self.spots_unwanted = 0
        self.gaps = 0
        self._clock = clock
        self._by_id: dict[int, Channel] = {}
        self._subscribers: list[dict[Subscriber, None]] = []
        self._due_since_s: float | None = None
        """Since when ticks are due without a break (monotonic seconds); None: none is."""
        self._publish = self.fanout.publish

    # The feed's side (IFeedListener).

    def spot(self, symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """Take a spot event: fill forward, number it, keep it, and publish it as a tick."""
        self.spots += 1
        channel = self._by_id.get(symbol_id)
        if channel is None:
            self.spots_unwanted += 1  # cTrader sends some more after an unsubscription
            return
        if bid:
            channel.bid = bid
        else:
            bid = channel.bid
        if ask:
            channel.ask = ask
        else:
            ask = channel.ask
        if not (bid and ask):
            return
        if channel.lost:
            self._declare_gap(channel)
        channel.seq = seq = channel.seq + 1
        channel.last = tick = Tick(channel.symbol, bid, ask, self._clock.wall_ms(), source_ms, seq)
        if channel.history is not None:
            channel.history.append(tick)
        self._publish(channel, tick)

    def status_changed(self, status: FeedStatus) -> None:
        """Keep the status, and notify the observer."""
        self.status = status
        if self.observer is not None:
            self.observer.status_changed(status)

    def symbols_loaded(self, symbols: Sequence[Symbol]) -> None:
        """Take the session's symbol list: ids and digits may have changed, names and channels stay."""
        self.fanout.flush()  # pending ticks carry the ids of the old list
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self._by_id = {}
        taken = {symbol.symbol_id for symbol in symbols}
        for name, channel in self.channels.items():
            symbol = self.symbols.get(name)
            if symbol is None or symbol.symbol_id != channel.symbol.symbol_id:
                self.feed_lost("stale", [name])  # until cTrader has confirmed its new id
            if symbol is not None:
                channel.relist(symbol)
                self._by_id[symbol.symbol_id] = channel
            elif channel.symbol.symbol_id in taken:
                # A slow client is still to be sent its newest tick, which must not give the id back to this name.
                channel.relist(replace(channel.symbol, symbol_id=NO_ID))
        if self.observer is not None:
            self.observer.symbols_changed()

    def feed_lost(self, cause: str, names: Sequence[str] | None) -> None:
        """Ticks may be missed from now on."""
        for name in self.channels if names is None else names:
            channel = self.channels.get(name)
            if channel is not None:
                channel.lose(cause if self._subscribers[channel.index] else NO_SUBSCRIBERS)

    def symbol_confirmed(self, name: str) -> None:
        """Do nothing: `IFeed.explain` answers the clients that ask."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Notify the observer."""
        if self.observer is not None:
            self.observer.symbol_refused(name, code, message)

    # The client side.

    def attach(self, outbox: Outbox, encoding: Encoding) -> Subscriber:
        """Make the subscriber of a new client, which is sent frames of *encoding* through *outbox*."""
        return Subscriber(outbox, encoding, self.fanout)

    def subscribers(self, channel: Channel) -> Collection[Subscriber]:
        """The clients that subscribe *channel* now, oldest first. A view: copy it before anything changes them."""
        return self._subscribers[channel.index].keys()

    def subscribe(self, subscriber: Subscriber, symbols: Iterable[Symbol], max_rate: float = 0.0) -> list[Channel]:
        """Subscribe *subscriber* to *symbols*; an existing subscription only changes its rate (ticks/s, 0: every tick).

        The first subscriber of a symbol subscribes it upstream. The client's first tick is the one after the newest
        that was sent before (`Channel.sent`). Returns the channels, in the order of *symbols*.
        """
        channels = [self._channel(symbol) for symbol in symbols]
        self.fanout.leave_cohort(subscriber)
        for channel in channels:
            if channel not in subscriber.channels:
                self._interest(channel)
                self._subscribers[channel.index][subscriber] = None
                channel.audience += 1
                subscriber.positions[channel] = channel.sent_seq
            self.fanout.limit_rate(subscriber, channel, max_rate)
        self.fanout.rejoin(subscriber)
        return channels

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """End subscriptions; names that are not subscribed are ignored."""
        self.fanout.leave_cohort(subscriber)
        for name in names:
            channel = self.channels.get(name)
            if channel is not None and channel in subscriber.channels:
                self.fanout.limit_rate(subscriber, channel, 0.0)
                del subscriber.channels[channel]
                subscriber.positions.pop(channel, None)
                self._disinterest(channel, subscriber)
        self.fanout.rejoin(subscriber)

    def hold(self, subscriber: Subscriber) -> None:
        """Send the client no ticks and gaps until `release`; its positions stay where they are now.

        For a request that is answered in several turns: what it subscribes must not be sent before its answer.
        """
        self.fanout.leave_cohort(subscriber)
        subscriber.held = []

    def release(self, subscriber: Subscriber) -> None:
        """Send the client the gaps since `hold`, and the newest tick of each symbol that moved."""
        gaps, subscriber.held = subscriber.held, None
        if gaps:
            subscriber.outbox.write(b"".join(gaps))
        self.fanout.rejoin(subscriber)

    def detach(self, subscriber: Subscriber) -> None:
        """The client is gone: end its subscriptions. Calling it again does nothing."""
        self.fanout.forget(subscriber)
        for channel in subscriber.channels:
            self._disinterest(channel, subscriber)
        subscriber.channels = {}

    def set_paused(self, subscriber: Subscriber, paused: bool) -> None:
        """Stop or resume a client's ticks; on resuming it gets the newest of every symbol that moved."""
        self.fanout.leave_cohort(subscriber)
        subscriber.paused = paused
        self.fanout.rejoin(subscriber)

    def set_rate(self, subscriber: Subscriber, max_rate: float) -> None:
        """Change the rate of all of a client's subscriptions (ticks/s of each symbol, 0: every tick)."""
        self.fanout.leave_cohort(subscriber)
        for channel in subscriber.channels:
            self.fanout.limit_rate(subscriber, channel, max_rate)
        self.fanout.rejoin(subscriber)

    def set_encoding(self, subscriber: Subscriber, encoding: Encoding) -> None:
        """Send the client frames of another encoding from here on."""
        self.fanout.leave_cohort(subscriber)
        subscriber.encoding = encoding
        self.fanout.rejoin(subscriber)

    def feed_of(self, name: str) -> SymbolFeed:
        """The state of a symbol's subscription at cTrader."""
        return SymbolFeed(wanted=False, confirmed_at_ms=0) if self.feed is None else self.feed.explain(name)

    def expect_ticks(self, due: bool) -> None:
        """Set whether ticks are due: a subscribed symbol's market is open, and cTrader did not refuse the symbol."""
        if not due:
            self._due_since_s = None
        elif self._due_since_s is None:
            self._due_since_s = self._clock.monotonic_s()

    @property
    def expects_ticks(self) -> bool:
        """Whether ticks are due."""
        return self._due_since_s is not None

    @property
    def spot_age_s(self) -> float | None:
        """Seconds since the newest tick of any symbol, or since ticks began to be due; None while none is due."""
        if self._due_since_s is None:
            return None
        return self._clock.monotonic_s() - max(self._due_since_s, self.fanout.last_flush_s)

    def reconfigure(self, settings: RelaySettings) -> None:
        """Use other settings from now on; a history that is kept keeps its length."""
        self.settings = self.fanout.settings = settings

    def keep_history(self, channel: Channel) -> None:
        """Keep the newest ticks of *channel* from now on, for clients that resume."""
        # Twice what is replayed: ticks that were not sent yet stand in it too, and are not replayed.
        channel.keep_history(min(self.settings.history_ticks, 2 * self.settings.replay_ticks))

    def missed_since(self, channel: Channel, epoch: str, seq: int, limit: int | None = None) -> Sequence[Tick] | None:
        """The ticks after the position *(epoch, seq)*, oldest first; None if any is gone, or they exceed *limit*."""
        if epoch != self.epoch or channel.lost:
            return None
        most = self.settings.replay_ticks if limit is None else min(limit, self.settings.replay_ticks)
        return channel.since(seq, self._clock.wall_ms() - int(self.settings.history_s * 1000), most)

    # The feed is called for the first and the last subscriber of a symbol.

    def _channel(self, symbol: Symbol) -> Channel:
        channel = self.channels.get(symbol.name)
        if channel is None:
            channel = self.channels[symbol.name] = Channel(symbol, len(self.channels))
            self._by_id[symbol.symbol_id] = channel
            self._subscribers.append({})
            self.fanout.add_channel()
        return channel

    def _interest(self, channel: Channel) -> None:
        if self._subscribers[channel.index]:
            return
        if self.observer is not None:
            self.observer.first_subscribed(channel)
        if self.feed is not None:
            name = channel.symbol.name
            known = self.feed.explain(name)
            if not known.confirmed_at_ms and channel.seq:
                # Unsubscribed upstream in between: ticks were missed, but no client had subscribed them.
                channel.lose(NO_SUBSCRIBERS)
            self.feed.want(name)
            if not known.refused and channel.symbol.schedule.is_open(self._clock.wall_ms() / 1000):
                self.expect_ticks(True)

    def _disinterest(self, channel: Channel, subscriber: Subscriber) -> None:
        del self._subscribers[channel.index][subscriber]
        channel.audience -= 1
        if not self._subscribers[channel.index] and self.feed is not None:
            self.feed.unwant(channel.symbol.name)

    def _declare_gap(self, channel: Channel) -> None:
        """On the first tick after a loss: send ``gap`` to the subscribers with that feature."""
        cause, channel.lost = channel.lost, ""
        if channel.last is None or cause == NO_SUBSCRIBERS:
            return
        if channel.pending:
            self.fanout.flush()  # the ticks before the gap are sent before its declaration
        self.gaps += 1
        gap = Gap(
            symbol=channel.symbol.name,
            epoch=self.epoch,
            after_seq=channel.seq,
            from_ms=channel.last.timestamp_ms,
            to_ms=max(self._clock.wall_ms(), channel.last.timestamp_ms),  # the system's clock may be set back
            cause=cause,
        )
        send_gap(gap, self._subscribers[channel.index], self.fanout.send_before_ticks)
