"""Who wants what: symbols to channels, channels to clients, and what is told when ticks may have been missed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from zope.interface import implementer

from tickrelay.config.settings import RelaySettings
from tickrelay.model.feed import IFeed, IFeedListener, SymbolFeed
from tickrelay.model.status import FeedState, FeedStatus, Status
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.relay.channel import NO_SUBSCRIBERS, Channel
from tickrelay.relay.fanout import Fanout, Time
from tickrelay.relay.outbox import Outbox
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import Gap


class Observer(Protocol):
    """Who tells the clients what is no tick: the WebSocket factory."""

    def status_changed(self, status: FeedStatus) -> None:
        """The feed's status is another one now."""

    def symbols_changed(self) -> None:
        """The symbol list was loaded."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Upstream refused a symbol that clients subscribe."""


@implementer(IFeedListener)
class Hub:
    """The one meeting place of the feed and the clients."""

    def __init__(self, time: Time, encodings: Iterable[Encoding], settings: RelaySettings, epoch: str) -> None:
        self.feed: IFeed | None = None
        self.observer: Observer | None = None
        self.status = FeedStatus(Status.WS_CONNECTING, FeedState.IDLE)
        self.symbols: Mapping[str, Symbol] = {}
        self.settings = settings
        self.fanout = Fanout(time, encodings, settings)
        self.epoch = epoch
        self.channels: dict[str, Channel] = {}
        self.spots = 0
        self.spots_unwanted = 0
        self.gaps = 0
        self._time = time
        self._by_id: dict[int, Channel] = {}
        self._due_since_s: float | None = None
        """Since when ticks are due without a break (monotonic seconds); None: none is."""
        self._publish = self.fanout.publish

    # The feed's side (IFeedListener).

    def spot(self, symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """The way of a tick: fill forward, count, keep, and hand it to the fan-out."""
        self.spots += 1
        channel = self._by_id.get(symbol_id)
        if channel is None:
            self.spots_unwanted += 1  # late, after the unsubscription
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
        channel.last = tick = Tick(channel.symbol, bid, ask, self._time.now_ms(), source_ms, seq)
        if channel.history is not None:
            channel.history.append(tick)
        self._publish(channel, tick)

    def status_changed(self, status: FeedStatus) -> None:
        """Keep the status for those who ask, and tell the observer."""
        self.status = status
        if self.observer is not None:
            self.observer.status_changed(status)

    def symbols_loaded(self, symbols: Sequence[Symbol]) -> None:
        """Take the session's symbol list: ids and digits may have changed, names and channels stay."""
        self.fanout.flush()  # ticks that wait carry the ids of the old list
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self._by_id = {}
        for name, channel in self.channels.items():
            symbol = self.symbols.get(name)
            if symbol is not None:
                if symbol.symbol_id != channel.symbol.symbol_id:
                    channel.rename(symbol)
                channel.symbol = symbol
                self._by_id[symbol.symbol_id] = channel
        if self.observer is not None:
            self.observer.symbols_changed()

    def feed_lost(self, cause: str, names: Sequence[str] | None) -> None:
        """Ticks may be missed from now on."""
        for name in self.channels if names is None else names:
            channel = self.channels.get(name)
            if channel is not None:
                channel.lose(cause)

    def symbol_confirmed(self, name: str) -> None:
        """Nothing to do: a client that asks is answered by `IFeed.explain`."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Tell the observer."""
        if self.observer is not None:
            self.observer.symbol_refused(name, code, message)

    # The clients' side.

    def subscribe(self, outbox: Outbox, symbols: Iterable[Symbol], max_rate: float = 0.0) -> list[Channel]:
        """Subscribe *outbox* to *symbols*; an existing subscription only changes its rate (ticks/s, 0: every tick).

        The first interest in a symbol subscribes it upstream. The client's first tick follows the newest one that
        was handed out before (`Channel.sent`); returns the channels, in order.
        """
        channels = [self._channel(symbol) for symbol in symbols]
        self.fanout.leave_cohort(outbox)
        for channel in channels:
            if channel not in outbox.channels:
                self._interest(channel)
                channel.subscribers[outbox] = None
                outbox.positions[channel] = channel.sent_seq
            outbox.channels[channel] = max_rate
            self.fanout.pace(outbox, max_rate)
        self.fanout.rejoin(outbox)
        return channels

    def unsubscribe(self, outbox: Outbox, names: Iterable[str]) -> None:
        """End subscriptions; names that are not subscribed are passed over."""
        self.fanout.leave_cohort(outbox)
        for name in names:
            channel = self.channels.get(name)
            if channel is not None and channel in outbox.channels:
                del outbox.channels[channel]
                outbox.positions.pop(channel, None)
                self._disinterest(channel, outbox)
        self.fanout.rejoin(outbox)

    def detach(self, outbox: Outbox) -> None:
        """The client is gone: give back all it held. Calling it again does nothing."""
        self.fanout.forget(outbox)
        for channel in outbox.channels:
            self._disinterest(channel, outbox)
        outbox.channels = {}

    def set_paused(self, outbox: Outbox, paused: bool) -> None:
        """Stop or resume a client's ticks; on resuming it gets the newest of every symbol that moved."""
        self.fanout.leave_cohort(outbox)
        outbox.paused = paused
        self.fanout.rejoin(outbox)

    def set_rate(self, outbox: Outbox, max_rate: float) -> None:
        """Change the rate of all of a client's subscriptions (ticks/s of each symbol, 0: every tick)."""
        self.fanout.leave_cohort(outbox)
        for channel in outbox.channels:
            outbox.channels[channel] = max_rate
        self.fanout.pace(outbox, max_rate)
        self.fanout.rejoin(outbox)

    def set_encoding(self, outbox: Outbox, encoding: Encoding) -> None:
        """The client speaks another encoding from here on."""
        self.fanout.leave_cohort(outbox)
        outbox.encoding = encoding
        self.fanout.rejoin(outbox)

    def feed_of(self, name: str) -> SymbolFeed:
        """What the feed knows of a symbol's subscription."""
        return SymbolFeed(wanted=False, confirmed_at_ms=0) if self.feed is None else self.feed.explain(name)

    def expect_ticks(self, due: bool) -> None:
        """Say whether ticks are due: some subscribed symbol is open and not refused upstream. Called every 5 s."""
        if not due:
            self._due_since_s = None
        elif self._due_since_s is None:
            self._due_since_s = self._time.monotonic()

    @property
    def spot_age_s(self) -> float | None:
        """Seconds since the newest tick of any symbol, or since ticks began to be due; None while none is due."""
        if self._due_since_s is None:
            return None
        return self._time.monotonic() - max(self._due_since_s, self.fanout.last_flush_s)

    def keep_history(self, channel: Channel) -> None:
        """A client that can resume has subscribed: remember the symbol's ticks from now on."""
        channel.keep_history(self.settings.history_ticks)

    def missed_since(self, channel: Channel, epoch: str, seq: int, limit: int | None = None) -> Sequence[Tick] | None:
        """What a client missed that stands at *(epoch, seq)*: all of it (*limit* ticks at the most), or None."""
        if epoch != self.epoch or channel.lost:
            return None
        oldest_ms = self._time.now_ms() - int(self.settings.history_s * 1000)
        most = self.settings.replay_ticks if limit is None else min(limit, self.settings.replay_ticks)
        return channel.since(seq, oldest_ms, most)

    # Interest: the first in and the last out are told to the feed.

    def _channel(self, symbol: Symbol) -> Channel:
        channel = self.channels.get(symbol.name)
        if channel is None:
            channel = self.channels[symbol.name] = Channel(symbol, len(self.channels))
            self._by_id[symbol.symbol_id] = channel
            self.fanout.add_channel()
        return channel

    def _interest(self, channel: Channel) -> None:
        if not channel.subscribers and self.feed is not None:
            name = channel.symbol.name
            known = self.feed.explain(name)
            if not known.confirmed_at_ms and channel.seq:
                # Upstream had unsubscribed it: nobody was away because of an outage, but nobody listened either.
                channel.lose(NO_SUBSCRIBERS)
            self.feed.want(name)
            if not known.refused and channel.symbol.schedule.is_open(self._time.now_ms() / 1000):
                self.expect_ticks(True)

    def _disinterest(self, channel: Channel, outbox: Outbox) -> None:
        del channel.subscribers[outbox]
        if not channel.subscribers and self.feed is not None:
            self.feed.unwant(channel.symbol.name)

    def _declare_gap(self, channel: Channel) -> None:
        """The first tick after a loss: say to those who asked what span may have holes, once."""
        cause, channel.lost = channel.lost, ""
        if channel.last is None or cause == NO_SUBSCRIBERS:
            return
        self.fanout.flush()  # what came before the hole goes out before its declaration
        self.gaps += 1
        gap = Gap(
            symbol=channel.symbol.name,
            epoch=self.epoch,
            after_seq=channel.seq,
            from_ms=channel.last.timestamp_ms,
            to_ms=self._time.now_ms(),
            cause=cause,
        )
        frames: dict[Encoding, bytes] = {}
        for outbox in list(channel.subscribers):
            if "gap" in outbox.features:
                encoding = outbox.encoding
                if encoding not in frames:
                    frames[encoding] = encoding.message(gap)
                outbox.write(frames[encoding])
