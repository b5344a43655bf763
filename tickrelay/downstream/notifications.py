"""What v1 clients are sent unasked, each only to those who named the feature: heartbeats, market states, notices."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tickrelay.downstream.diagnostics import market_state
from tickrelay.relay.channel import Channel
from tickrelay.relay.hub import Hub
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import (
    AnyMessage,
    Detail,
    Heartbeat,
    MarketState,
    MarketStateName,
    Notice,
    ReconnectMs,
)

if TYPE_CHECKING:
    from tickrelay.downstream.session import ClientSession

FEATURES = ("heartbeat", "gap", "marketState", "notice")
"""What a client can name in ``features``. Gaps are sent by the hub, which knows their moment."""

HEARTBEAT_S = 15

MARKET_S = 5
"""How often schedules are looked at while ticks are due; each second while none is, since a market may open."""

RECONNECT_MS_PER_CLIENT = 10
"""Clients of a relay that stops come back at 100 a second on average."""

RECONNECT_MS_LEAST, RECONNECT_MS_MOST = 1_000, 60_000


class Pushes:
    """Owned by the factory, which calls `each_second`."""

    def __init__(self, hub: Hub, wall_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._wall_ms = wall_ms
        self._second = 0
        # A heartbeat for everybody at once would be a long turn: each second serves its share.
        self._slots: list[dict[ClientSession, None]] = [{} for _ in range(HEARTBEAT_S)]
        self._slot_of: dict[ClientSession, int] = {}
        self._markets: dict[str, MarketStateName] = {}

    def enter(self, session: "ClientSession") -> None:
        """The client has named its features; called again when it names others."""
        self.leave(session)
        if "heartbeat" in session.subscriber.features:
            # The first one comes a whole period from now.
            slot = self._second % HEARTBEAT_S
            self._slots[slot][session] = None
            self._slot_of[session] = slot

    def leave(self, session: "ClientSession") -> None:
        """The client is gone."""
        slot = self._slot_of.pop(session, None)
        if slot is not None:
            del self._slots[slot][session]

    def each_second(self) -> None:
        """Send the heartbeats that are due, and what changed in the markets."""
        self._second += 1
        slot = self._slots[self._second % HEARTBEAT_S]
        if slot:
            beat = Heartbeat(timestamp=self._wall_ms(), feed=self._hub.status.state)
            send(beat, [session.subscriber for session in slot])
        if self._second % MARKET_S == 0 or not self._hub.expects_ticks:
            self._look_at_markets()

    def first_subscribed(self, channel: Channel) -> None:
        """Note the state of the symbol's market: each change from now on is pushed."""
        self._markets[channel.symbol.name] = market_state(channel.symbol, self._wall_ms())

    def _look_at_markets(self) -> None:
        now_ms = self._wall_ms()
        due = False
        for name, channel in self._hub.channels.items():
            if not self._hub.subscribers(channel):
                self._markets.pop(name, None)
                continue
            state = market_state(channel.symbol, now_ms)
            before = self._markets.get(name)
            self._markets[name] = state
            due = due or (state == "open" and not self._hub.feed_of(name).refused)
            if before is not None and state != before:
                send(
                    MarketState(symbol=name, state=state, timestamp=now_ms),
                    [
                        subscriber
                        for subscriber in self._hub.subscribers(channel)
                        if "marketState" in subscriber.features
                    ],
                )
        self._hub.expect_ticks(due)

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """cTrader refused a symbol: tell those who wait for it."""
        channel = self._hub.channels.get(name)
        if channel is not None:
            notice = Notice(
                code="SYMBOL_REFUSED", message="Refused by cTrader", symbol=name, detail=Detail(upstream=code)
            )
            send(
                notice, [subscriber for subscriber in self._hub.subscribers(channel) if "notice" in subscriber.features]
            )

    def draining(self, subscribers: Sequence[Subscriber]) -> None:
        """The service stops: tell *subscribers*, those of all clients, over which time they should come back."""
        spread_ms = min(max(len(subscribers) * RECONNECT_MS_PER_CLIENT, RECONNECT_MS_LEAST), RECONNECT_MS_MOST)
        notice = Notice(code="SERVER_DRAINING", message="restart", reconnect_ms=ReconnectMs(min=0, max=spread_ms))
        send(notice, [subscriber for subscriber in subscribers if "notice" in subscriber.features])


def send(message: AnyMessage, subscribers: Iterable[Subscriber]) -> None:
    """Send one message to several clients, encoded once an encoding."""
    frames: dict[Encoding, bytes] = {}
    for subscriber in subscribers:
        frame = frames.get(subscriber.encoding)
        if frame is None:
            frame = frames[subscriber.encoding] = subscriber.encoding.message(message)
        subscriber.outbox.write(frame)
