"""What clients are sent without a request: status changes to all, and to v1 clients what they named in ``features``."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from twisted.logger import Logger

from tickrelay.downstream.broadcasts import Broadcasts
from tickrelay.downstream.diagnostics import feed_summary, market_state
from tickrelay.model.status import FeedStatus, Status
from tickrelay.relay.channel import Channel
from tickrelay.relay.hub import Hub
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import AnyMessage, Heartbeat, MarketState, Notice, StatusMessage
from tickrelay.wire.parts import Detail, MarketStateName, ReconnectMs

FEATURES = ("heartbeat", "gap", "marketState", "notice")
"""What a client can name in ``features``. Gaps are sent by the hub, which knows the moment."""

HEARTBEAT_S = 15

MARKET_S = 5
"""How often schedules are looked at while ticks are due; each second while none is, since a market may open."""

RECONNECT_MS_PER_CLIENT = 10
"""Clients of a relay that stops reconnect at 100 a second on average."""

RECONNECT_MS_LEAST, RECONNECT_MS_MOST = 1_000, 60_000


class StatusRecipient(Protocol):
    """What a status broadcast needs of a session."""

    status_number: int
    """Number of the newest status that the client was sent."""

    @property
    def subscriber(self) -> Subscriber:
        """Has the client's encoding and outbox."""

    @property
    def is_open(self) -> bool:
        """The client was admitted and is not being closed."""


class StatusBroadcast:
    """The present status as a message, as a frame of each encoding, and to every client when it changes.

    A symbol list may be 200 KB. A status is encoded once per encoding; statuses keep their order.
    """

    _log = Logger()

    def __init__(self, hub: Hub, broadcasts: Broadcasts) -> None:
        self.number = 0
        """Of the newest broadcast; a session that was answered with it is left out."""
        self._hub = hub
        self._broadcasts = broadcasts
        self._sent = hub.status
        self._frames: dict[Encoding, bytes] = {}
        self._names: list[str] | None = None

    def message(self) -> StatusMessage:
        """The present status; the symbol list is full on ``connected`` and empty on the others."""
        status = self._hub.status
        if self._names is None:
            self._names = [symbol.name for symbol in self._hub.symbols.values() if symbol.enabled]
        names = self._names if status.status is Status.CONNECTED else []
        message = StatusMessage(
            status=status.status, available_symbols=names, epoch=self._hub.epoch, feed=feed_summary(self._hub)
        )
        if status.message:
            message.message = status.message
        if status.upstream_code:
            message.detail = Detail(upstream=status.upstream_code)
        return message

    def frame(self, encoding: Encoding) -> bytes:
        """The frame of the present status, encoded once however many clients ask."""
        frame = self._frames.get(encoding)
        if frame is None:
            frame = self._frames[encoding] = encoding.message(self.message())
        return frame

    def symbols_changed(self) -> None:
        """The next frame carries the new list."""
        self._frames = {}
        self._names = None

    def status_changed(self, status: FeedStatus, recipients: Callable[[], Iterable[StatusRecipient]]) -> None:
        """Log the change and send it to all *recipients*, if it is one that clients can see."""
        self._frames = {}
        sent, self._sent = self._sent, status
        # The steps of connecting are for v1's `feed` and the log; another cause of an error is for every client.
        if status.status is sent.status and (status.status is not Status.ERROR or status.message == sent.message):
            return
        self._log_status(status)
        waiting = list(recipients())
        in_use = {recipient.subscriber.encoding for recipient in waiting}
        self.number += 1
        frames = {encoding: self.frame(encoding) for encoding in in_use}
        self._broadcasts.begin(self._send(self.number, frames, waiting))

    def _log_status(self, status: FeedStatus) -> None:
        """Log one line. Temporary causes are logged by the feed, an error's cause only here."""
        names = {"status": status.status.value, "state": status.state.value}
        if status.status is Status.ERROR:
            self._log.error("status {status} ({state}): {why}", why=status.message, **names)
        else:
            self._log.info("status {status} ({state})", **names)

    def _send(
        self, number: int, frames: Mapping[Encoding, bytes], recipients: Iterable[StatusRecipient]
    ) -> Iterator[None]:
        for recipient in recipients:
            frame = frames.get(recipient.subscriber.encoding)
            if frame is not None and recipient.is_open and recipient.status_number < number:
                recipient.status_number = number
                recipient.subscriber.outbox.write(frame)
                yield


class Notifications:
    """Heartbeats, market states and notices; the factory calls `send_heartbeats` and `check_markets` each second."""

    def __init__(self, hub: Hub, broadcasts: Broadcasts, wall_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._broadcasts = broadcasts
        self._wall_ms = wall_ms
        self._second = 0
        # Heartbeats for all clients at once would be a long turn of the reactor: each second serves its share.
        self._slots: list[dict[Subscriber, None]] = [{} for _ in range(HEARTBEAT_S)]
        self._slot_of: dict[Subscriber, int] = {}
        self._markets: dict[str, MarketStateName] = {}

    def add(self, subscriber: Subscriber) -> None:
        """Serve a client that has named its features; called again when it names others."""
        self.discard(subscriber)
        if "heartbeat" in subscriber.features:
            # The first one is sent a whole period from now.
            slot = self._second % HEARTBEAT_S
            self._slots[slot][subscriber] = None
            self._slot_of[subscriber] = slot

    def discard(self, subscriber: Subscriber) -> None:
        """The client is gone."""
        slot = self._slot_of.pop(subscriber, None)
        if slot is not None:
            del self._slots[slot][subscriber]

    def send_heartbeats(self) -> None:
        """Send those that are due in this second."""
        self._second += 1
        slot = self._slots[self._second % HEARTBEAT_S]
        if slot:
            self._send("heartbeat", Heartbeat(timestamp=self._wall_ms(), feed=self._hub.status.state), slot)

    def check_markets(self) -> None:
        """Send the changes of market states, where it is time to look for them."""
        if self._second % MARKET_S == 0 or not self._hub.expects_ticks:
            self._check_markets()

    def first_subscribed(self, channel: Channel) -> None:
        """Note the state of the symbol's market: each change from now on is pushed."""
        self._markets[channel.symbol.name] = market_state(channel.symbol, self._wall_ms())

    def _check_markets(self) -> None:
        now_ms = self._wall_ms()
        due = False
        for name, channel in self._hub.channels.items():
            if not self._hub.subscribers(channel):
                self._markets.pop(name, None)
                continue
            state = market_state(channel.symbol, now_ms)
            before = self._markets.get(name, state)
            self._markets[name] = state
            due = due or (state == "open" and not self._hub.feed_of(name).refused)
            if state != before:
                message = MarketState(symbol=name, state=state, timestamp=now_ms)
                self._send("marketState", message, self._hub.subscribers(channel), channel)
        self._hub.expect_ticks(due)

    def symbol_refused(self, name: str, code: str) -> None:
        """Notify the subscribers of the symbol *name* that cTrader refused it with the error *code*."""
        channel = self._hub.channels.get(name)
        if channel is not None:
            detail = Detail(upstream=code)
            notice = Notice(code="SYMBOL_REFUSED", message="Refused by cTrader", symbol=name, detail=detail)
            self._send("notice", notice, self._hub.subscribers(channel), channel)

    def draining(self, subscribers: Sequence[Subscriber]) -> None:
        """The service stops: send *subscribers*, those of all clients, the time over which to reconnect."""
        spread_ms = min(max(len(subscribers) * RECONNECT_MS_PER_CLIENT, RECONNECT_MS_LEAST), RECONNECT_MS_MOST)
        notice = Notice(code="SERVER_DRAINING", message="restart", reconnect_ms=ReconnectMs(min=0, max=spread_ms))
        self._send("notice", notice, subscribers)

    def _send(
        self, feature: str, message: AnyMessage, subscribers: Iterable[Subscriber], about: Channel | None = None
    ) -> None:
        """Send *message* to those of *subscribers* that named *feature*.

        *about*: its symbol; who unsubscribes that before its turn comes is left out.
        """
        wanting = [subscriber for subscriber in subscribers if feature in subscriber.features]
        if wanting:
            self._broadcasts.begin(_sends(message, wanting, about))


def _sends(message: AnyMessage, subscribers: Sequence[Subscriber], about: Channel | None) -> Iterator[None]:
    """Send one message to several clients, encoded once per encoding."""
    frames: dict[Encoding, bytes] = {}
    for subscriber in subscribers:
        if about is not None and about not in subscriber.channels:
            continue
        frame = frames.get(subscriber.encoding)
        if frame is None:
            frame = frames[subscriber.encoding] = subscriber.encoding.message(message)
        subscriber.outbox.write(frame)
        yield
