"""A client's socket and transport in memory, and the hub's clocks on a task.Clock."""

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.support.frames import take_frames
from tickrelay.config.settings import RelaySettings
from tickrelay.model.errors import CloseCode
from tickrelay.model.feed import IFeed, SymbolFeed
from tickrelay.model.ticks import Symbol
from tickrelay.relay.hub import Hub
from tickrelay.relay.outbox import Outbox
from tickrelay.wire.encodings import Encoding, Encodings, make_encodings

EPOCH = "e1"
NAMES = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "BTCUSD")


class TestClock:
    """A task.Clock as the relay's clock, moved by the test."""

    __test__ = False

    def __init__(self, clock: Clock, wall_s: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._wall_s = wall_s or (lambda: 1_767_225_600 + clock.seconds())

    def call_later(self, delay_s: float, call: Callable[[], object]) -> IDelayedCall:
        """As the reactor's."""
        return self._clock.callLater(delay_s, call)

    def monotonic_s(self) -> float:
        """The clock's seconds."""
        return float(self._clock.seconds())

    def wall_ms(self) -> int:
        """What *wall_s* (Unix seconds) says; by default the clock's time since the start of 2026."""
        return int(self._wall_s() * 1000)


@implementer(IFeed)
class FakeFeed:
    """Records the wants of the relay."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.confirmed = True

    def want(self, name: str) -> None:
        """Note the interest."""
        assert name not in self.wanted
        self.wanted.append(name)
        self.calls.append(("want", name))

    def unwant(self, name: str) -> None:
        """Note its end."""
        self.wanted.remove(name)
        self.calls.append(("unwant", name))

    def explain(self, name: str) -> SymbolFeed:
        """Say that everything wanted is confirmed."""
        return SymbolFeed(wanted=name in self.wanted, confirmed_at_ms=1 if self.confirmed else 0)


class FakeClient:
    """A client with a socket that takes *room* bytes before it is full, and a transport behind it."""

    def __init__(self, hub: Hub, encoding: Encoding, room: float = float("inf")) -> None:
        self.room = room
        self.received = bytearray()
        self.buffer = bytearray()
        self.closed: list[CloseCode] = []
        self.sends = 0
        self.writes = 0
        self.outbox = Outbox(self._send, self._write, self._close, hub.settings.max_queued_bytes)
        self.subscriber = hub.attach(self.outbox, encoding)

    def _send(self, data: bytes) -> int:
        self.sends += 1
        assert not self.buffer, "bytes would overtake those in the transport"
        if self.room <= 0:
            raise BlockingIOError
        taken = int(min(self.room, len(data)))
        self.received += data[:taken]
        self.room -= taken
        return taken

    def _write(self, data: bytes) -> bool:
        self.writes += 1
        self.buffer += data
        return True

    def _close(self, code: CloseCode, reason: str) -> None:
        self.closed.append(code)

    def stall(self) -> None:
        """The client stops reading."""
        self.room = 0

    def read(self, size: float = float("inf")) -> None:
        """The client reads *size* bytes more: the reactor finds the socket writable until it is full again."""
        self.room += size
        while self.buffer and self.room > 0:
            taken = int(min(self.room, len(self.buffer)))
            self.received += self.buffer[:taken]
            del self.buffer[:taken]
            self.room -= taken
            if not self.buffer:
                self.outbox.drained()

    def take(self) -> list[dict[str, Any]]:
        """The JSON messages received since the last call; a cut frame stays for the next."""
        return [json.loads(payload) for _, payload in take_frames(self.received)]


class TlsClient(FakeClient):
    """A client over TLS: its transport takes everything, and says so when it holds more than its high-water mark."""

    HIGH_WATER = 500
    full = False

    def _send(self, data: bytes) -> int:
        self.sends += 1
        assert not self.full, "ticks for a client whose transport is full"
        return -1 if self._write(data) else len(data)

    def _write(self, data: bytes) -> bool:
        self.writes += 1
        self.buffer += data
        self._flow()
        if len(self.buffer) > self.HIGH_WATER:
            self.full = True
        return self.full

    def read(self, size: float = float("inf")) -> None:
        """The client reads *size* bytes more."""
        self.room += size
        self._flow()
        while self.full and not self.buffer:
            self.full = False
            self.outbox.drained()
            self._flow()

    def _flow(self) -> None:
        taken = int(min(self.room, len(self.buffer)))
        self.received += self.buffer[:taken]
        del self.buffer[:taken]
        self.room -= taken


class Relay:
    """A hub with five symbols on a clock, and clients in memory."""

    def __init__(self, clock: Clock, settings: RelaySettings | None = None) -> None:
        self.clock = clock
        self.encodings: Encodings = make_encodings(EPOCH)
        self.hub = Hub(TestClock(clock), self.encodings, settings or RelaySettings(), EPOCH)
        self.feed = FakeFeed()
        self.hub.feed = self.feed
        self.symbols = {name: Symbol(symbol_id=n, name=name) for n, name in enumerate(NAMES, 1)}
        self.hub.symbols_loaded(list(self.symbols.values()))

    def client(
        self, *names: str, encoding: Encoding | None = None, rate: float = 0.0, kind: type[FakeClient] = FakeClient
    ) -> FakeClient:
        """A new client, subscribed to *names*; speaks v1 JSON over TCP unless told otherwise."""
        client = kind(self.hub, encoding or self.encodings.v1_json)
        if names:
            self.subscribe(client, *names, rate=rate)
        return client

    def subscribe(self, client: FakeClient, *names: str, rate: float = 0.0) -> None:
        """Subscribe *client* to *names*."""
        self.hub.subscribe(client.subscriber, [self.symbols[name] for name in names], rate)

    def spot(self, name: str, bid: int, ask: int = 0) -> None:
        """A spot event arrives; without an ask it is one pip over the bid."""
        self.hub.spot(self.symbols[name].symbol_id, bid, ask or bid + 10, 0)

    def turn(self, seconds: float = 0.0) -> None:
        """The reactor's turn ends, and time goes on."""
        self.clock.advance(seconds)
