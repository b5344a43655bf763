"""Who wants what: symbols to channels, channels to clients, and the flush that ends a turn.

Knows no reactor and no socket: time comes in as callables, bytes go out through outboxes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from zope.interface import implementer

from tickrelay.config import RelaySettings
from tickrelay.errors import CloseCode
from tickrelay.interfaces import IFeed, IFeedListener, SymbolFeed
from tickrelay.relay.channel import UNHEARD, Channel
from tickrelay.relay.cohort import Lane
from tickrelay.relay.outbox import Outbox
from tickrelay.relay.pacer import Pacer
from tickrelay.status import FeedState, FeedStatus, Status
from tickrelay.ticks import Symbol, Tick
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import Gap

MAX_REST_S = 0.005
"""A longer rest after a long flush would add to latency and carry little more."""

IDLE_S = 0.002
"""So long after the last flush and its rest the relay counts as idle: the next tick leaves at once, and does not wait
for the end of a turn that will most likely bring no other.
"""


class Time(Protocol):
    """The clocks that the hub is given; `tickrelay.tap` makes one of the reactor."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> object:
        """Run *call* once, *delay_s* from now; 0 is the end of the reactor's turn."""

    def monotonic(self) -> float:
        """Seconds that never step, for durations."""

    def now_ms(self) -> int:
        """Unix milliseconds, for stamps."""


class Observer(Protocol):
    """Who tells the clients what is no tick: the WebSocket factory."""

    def status_changed(self, status: FeedStatus) -> None:
        """The feed's status is another one now."""

    def symbols_changed(self) -> None:
        """The symbol list was loaded."""

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Upstream refused a symbol that clients subscribe."""


class Counters:
    """Plain integers, read by the metrics."""

    def __init__(self) -> None:
        self.spots = 0
        self.spots_unwanted = 0
        self.ticks = 0
        self.flushes = 0
        self.flush_s = 0.0
        self.fell_behind = 0
        self.caught_up = 0
        self.expelled = 0
        self.gaps = 0


@implementer(IFeedListener)
class Hub:
    """The one meeting place of the feed and the clients."""

    def __init__(self, time: Time, encodings: Iterable[Encoding], settings: RelaySettings, epoch: str) -> None:
        self.feed: IFeed | None = None
        self.observer: Observer | None = None
        self.status = FeedStatus(Status.WS_CONNECTING, FeedState.IDLE)
        self.symbols: Mapping[str, Symbol] = {}
        self.counters = Counters()
        self.settings = settings
        self.max_queued_bytes = settings.max_queued_bytes
        self.epoch = epoch
        self.channels: dict[str, Channel] = {}
        self.behind: dict[Outbox, float] = {}
        """Clients whose transport holds data -> when they last made progress (monotonic seconds)."""
        self.last_spot_s = 0.0
        """When the last flush with ticks was (monotonic seconds); 0: never."""
        self.lanes = {encoding: Lane(encoding) for encoding in encodings}
        self._time = time
        self._by_id: dict[int, Channel] = {}
        self._dirty: list[Channel] = []
        self._scheduled = False
        self._flush_not_before = 0.0
        self._idle_from = 0.0
        self._pacers: dict[float, Pacer] = {}

    # The feed's side (IFeedListener).

    def spot(self, symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """The way of a tick: fill forward, count, keep, and see that a flush comes."""
        self.counters.spots += 1
        channel = self._by_id.get(symbol_id)
        if channel is None:
            self.counters.spots_unwanted += 1  # late, after the unsubscription
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
        if not channel.pending:
            self._dirty.append(channel)
        channel.pending.append(tick)
        if not self._scheduled:
            if self._time.monotonic() > self._idle_from:
                self.flush()
            else:
                self._schedule()

    def status_changed(self, status: FeedStatus) -> None:
        """Keep the status for those who ask, and tell the observer."""
        self.status = status
        if self.observer is not None:
            self.observer.status_changed(status)

    def symbols_loaded(self, symbols: Sequence[Symbol]) -> None:
        """Take the session's symbol list: ids and digits may have changed, names and channels stay."""
        if self._dirty:
            self.flush()  # these ticks carry the ids of the old list
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self._by_id = {}
        for name, channel in self.channels.items():
            symbol = self.symbols.get(name)
            if symbol is not None:
                channel.symbol = symbol
                if channel.sent is not None:
                    channel.sent.symbol = symbol  # sent again as a snapshot, it must not bring back an old id
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
        self._lift(outbox)
        for channel in channels:
            if channel not in outbox.channels:
                self._interest(channel)
                channel.subscribers[outbox] = None
                outbox.positions[channel] = channel.sent_seq
            outbox.channels[channel] = max_rate
            self._pace(outbox, max_rate)
        self._place(outbox)
        return channels

    def unsubscribe(self, outbox: Outbox, names: Iterable[str]) -> None:
        """End subscriptions; names that are not subscribed are passed over."""
        self._lift(outbox)
        for name in names:
            channel = self.channels.get(name)
            if channel is not None and channel in outbox.channels:
                del outbox.channels[channel]
                outbox.positions.pop(channel, None)
                self._disinterest(channel, outbox)
        self._place(outbox)

    def detach(self, outbox: Outbox) -> None:
        """The client is gone: give back all it held. Calling it again does nothing."""
        self._lift(outbox)
        for channel in outbox.channels:
            self._disinterest(channel, outbox)
        outbox.channels = {}
        outbox.positions = {}
        self.behind.pop(outbox, None)
        for pacer in self._pacers.values():
            pacer.outboxes.pop(outbox, None)

    def set_paused(self, outbox: Outbox, paused: bool) -> None:
        """Stop or resume a client's ticks; on resuming it gets the newest of every symbol that moved."""
        self._lift(outbox)
        outbox.paused = paused
        self._place(outbox)

    def set_rate(self, outbox: Outbox, max_rate: float) -> None:
        """Change the rate of all of a client's subscriptions (ticks/s of each symbol, 0: every tick)."""
        self._lift(outbox)
        for channel in outbox.channels:
            outbox.channels[channel] = max_rate
        self._pace(outbox, max_rate)
        self._place(outbox)

    def set_encoding(self, outbox: Outbox, encoding: Encoding) -> None:
        """The client speaks another encoding from here on."""
        self._lift(outbox)
        outbox.encoding = encoding
        self._place(outbox)

    def feed_of(self, name: str) -> SymbolFeed:
        """What the feed knows of a symbol's subscription."""
        return SymbolFeed(wanted=False, confirmed_at_ms=0) if self.feed is None else self.feed.explain(name)

    def keep_history(self, channel: Channel) -> None:
        """A client that can resume has subscribed: remember the symbol's ticks from now on."""
        channel.keep_history(self.settings.history_ticks)

    def missed_since(self, channel: Channel, epoch: str, seq: int) -> Sequence[Tick] | None:
        """What a client missed that stands at *(epoch, seq)*: all of it, or None."""
        if epoch != self.epoch or channel.lost:
            return None
        oldest_ms = self._time.now_ms() - int(self.settings.history_s * 1000)
        return channel.since(seq, oldest_ms, self.settings.replay_ticks)

    # The outboxes' side.

    def fell_behind(self, outbox: Outbox) -> None:
        """The client's transport holds data: no ticks for it until it has drained."""
        if outbox not in self.behind:
            self.behind[outbox] = self._time.monotonic()
            self.counters.fell_behind += 1
        self._lift(outbox)

    def progressed(self, outbox: Outbox) -> None:
        """The client took something: it is not stuck."""
        if outbox in self.behind:
            self.behind[outbox] = self._time.monotonic()

    def caught_up(self, outbox: Outbox) -> None:
        """The client's transport is empty again: the newest of everything, then back to the fast lane."""
        if self.behind.pop(outbox, None) is not None:
            self.counters.caught_up += 1
        self._place(outbox)

    def expel(self, outbox: Outbox) -> None:
        """Close a client that takes nothing."""
        self.counters.expelled += 1
        self.behind.pop(outbox, None)
        outbox.close(CloseCode.SLOW_CONSUMER, "slow consumer")

    def sweep(self) -> None:
        """Expel the clients that have drained nothing for too long. Called about once a second."""
        horizon = self._time.monotonic() - self.settings.stuck_timeout_s
        for outbox in [outbox for outbox, since in self.behind.items() if since < horizon]:
            self.expel(outbox)

    # The flush.

    def _schedule(self) -> None:
        self._scheduled = True
        wait = self._flush_not_before - self._time.monotonic()
        self._time.call_later(wait if wait > 0.0 else 0.0, self.flush)

    def flush(self) -> None:
        """Hand out what the turn brought: one write a client.

        The next flush comes not before this one's duration has passed once more (but no longer than `MAX_REST_S`), so
        that under overload about half of the time is spent sending and each turn carries more; nor before the window
        that is set has passed.
        """
        self._scheduled = False
        begun = self._time.monotonic()
        dirty, self._dirty = self._dirty, []
        for channel in dirty:
            channel.sent = channel.last
            channel.sent_seq = channel.seq
        for lane in self.lanes.values():
            for outbox, data, taken in lane.send(dirty):
                outbox.hold(data, taken)
                self.fell_behind(outbox)
        for channel in dirty:
            self.counters.ticks += len(channel.pending)
            channel.pending.clear()
        ended = self._time.monotonic()
        self.last_spot_s = begun
        self.counters.flushes += 1
        self.counters.flush_s += ended - begun
        self._flush_not_before = max(ended + min(ended - begun, MAX_REST_S), begun + self.settings.flush_window_s)
        self._idle_from = self._flush_not_before + IDLE_S

    # Where a client stands: inside a cohort, or outside with positions.

    def _lift(self, outbox: Outbox) -> None:
        """Take the client out of its cohort and write down where it stands."""
        cohort = outbox.cohort
        if cohort is not None:
            self.lanes[outbox.encoding].leave(outbox)
            for channel in cohort.channels:
                outbox.positions[channel] = channel.sent_seq

    def _place(self, outbox: Outbox) -> None:
        """Bring the client up to date and into a cohort, if it is neither behind nor paused."""
        if outbox.held or outbox.paused:
            return
        free = [channel for channel in outbox.positions if not outbox.channels[channel]]
        frames = self.newest(outbox, free)
        if frames:
            outbox.write(frames)
        if free and not outbox.held:
            for channel in free:
                del outbox.positions[channel]
            self.lanes[outbox.encoding].join(outbox, free)

    def newest(self, outbox: Outbox, channels: Iterable[Channel]) -> bytes:
        """The newest tick of each channel that moved since the client's position, which moves up to it."""
        positions = outbox.positions
        frames = []
        for channel in channels:
            conflated = channel.sent_seq - positions[channel] - 1
            if conflated >= 0 and channel.sent is not None:
                positions[channel] = channel.sent_seq
                frames.append(outbox.encoding.newest(channel.sent, conflated))
        return b"".join(frames)

    def _pace(self, outbox: Outbox, max_rate: float) -> None:
        if max_rate:
            pacer = self._pacers.get(max_rate)
            if pacer is None:
                pacer = self._pacers[max_rate] = Pacer(self, max_rate, self._time.call_later)
            pacer.add(outbox)

    # Interest: the first in and the last out are told to the feed.

    def _channel(self, symbol: Symbol) -> Channel:
        channel = self.channels.get(symbol.name)
        if channel is None:
            channel = self.channels[symbol.name] = Channel(symbol, len(self.channels))
            self._by_id[symbol.symbol_id] = channel
            for lane in self.lanes.values():
                lane.add_channel()
        return channel

    def _interest(self, channel: Channel) -> None:
        if not channel.subscribers and self.feed is not None:
            name = channel.symbol.name
            if not self.feed.explain(name).confirmed_at_ms and channel.seq:
                # Upstream had unsubscribed it: nobody was away because of an outage, but nobody listened either.
                channel.lose(UNHEARD)
            self.feed.want(name)

    def _disinterest(self, channel: Channel, outbox: Outbox) -> None:
        del channel.subscribers[outbox]
        if not channel.subscribers and self.feed is not None:
            self.feed.unwant(channel.symbol.name)

    def _declare_gap(self, channel: Channel) -> None:
        """The first tick after a loss: say to those who asked what span may have holes, once."""
        cause, channel.lost = channel.lost, ""
        if channel.last is None or cause == UNHEARD:
            return
        if channel.pending:
            self.flush()
        self.counters.gaps += 1
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
