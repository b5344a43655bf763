"""An hour of a market, with everything that happens to clients in one, held against the checker."""

import json
import random
import socket
from typing import Any

from twisted.internet.task import Clock

from tests.support.browser import LOST, Browser, Server, Transport
from tests.support.checker import Checker
from tests.support.frames import frame, take_frames
from tests.support.v1 import JSON, PROTOBUF
from tests.support.view import View
from tickrelay.model.ticks import Symbol
from tickrelay.wire import protobuf
from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.tickrelay_pb2 import ClientMessage

NAMES = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "BTCUSD", "QUIET")
WEIGHTS = (20, 10, 10, 8, 6, 0.02)


FIELDS = {f.json_name: f.name for f in ClientMessage.DESCRIPTOR.fields}
PARSE = make_encodings("").v1_json.parse


class SlowTransport(Transport):
    """A TCP transport with a kernel buffer of some KiB that a client reads or does not read."""

    family = socket.AF_UNIX
    room = 0

    def getHandle(self) -> "SlowTransport":
        """The socket."""
        return self

    def send(self, data: bytes) -> int:
        """The kernel takes what it has room for."""
        assert not self.unsent, "bytes would overtake those in the transport"
        if self.room <= 0:
            raise BlockingIOError
        taken = min(self.room, len(data))
        self.room -= taken
        self.kernel += data[:taken]
        return taken

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.kernel = bytearray()
        self.unsent = bytearray()

    def write(self, data: bytes) -> None:
        """Twisted keeps what the kernel has no room for."""
        self.unsent += data

    def turn(self) -> None:
        """The reactor finds the socket writable, as often as it is."""
        while self.unsent and self.room > 0:
            taken = min(self.room, len(self.unsent))
            self.kernel += self.unsent[:taken]
            del self.unsent[:taken]
            self.room -= taken
            if not self.unsent and self.producer is not None:
                self.producer.resumeProducing()

    def read(self) -> bytes:
        """The client reads all there is."""
        data = bytes(self.kernel)
        self.kernel.clear()
        self.room = self.size
        return data


class Client:
    """A client with a checker, which outlives its connections."""

    def __init__(self, server: Server, rng: random.Random, binary: bool, loyal: bool = False) -> None:
        self.checker = Checker()
        self.loyal = loyal
        """It is always there and always reads."""
        self._server = server
        self._rng = rng
        self._binary = binary
        self._browser: Browser | None = None
        self._busy_until = 0.0
        self._stalled = False
        self._back_at = 0.0
        self._connect()

    def _connect(self) -> None:
        self._browser = browser = Browser(self._server, transport=SlowTransport(1 << 20 if self.loyal else 4_096))
        self._view = View()
        self.checker.opened()
        browser.request(PROTOBUF if self._binary else JSON)
        self._transport.turn()
        head, _, rest = self._read().partition(b"\r\n\r\n")
        self._left = bytearray(rest)
        assert b" 101 " in head
        self.say({"type": "connect", "protocol": 1, "features": ["gap"]})
        self.say({"type": "subscribe", "symbols": ["*"], "snapshot": self._rng.random() < 0.5,
                  "resume": self.checker.resume()})  # fmt: skip

    @property
    def _transport(self) -> SlowTransport:
        assert self._browser is not None and isinstance(self._browser.transport, SlowTransport)
        return self._browser.transport

    def _read(self) -> bytes:
        """Read as a client does: again and again, with the reactor in between."""
        data = self._transport.read()
        self._transport.turn()
        while self._transport.kernel:
            data += self._transport.read()
            self._transport.turn()
        return data

    def say(self, message: dict[str, Any]) -> None:
        """Send a request in this client's encoding."""
        assert self._browser is not None
        payload = json.dumps(message).encode()
        if self._binary:
            envelope = ClientMessage()
            protobuf.fill(PARSE(payload, False), getattr(envelope, FIELDS[message["type"]]))
            for name in ("maxRate", "paused"):
                if name not in message and message["type"] == "configure":
                    envelope.configure.ClearField({"maxRate": "max_rate"}.get(name, name))
            payload = envelope.SerializeToString()
        self._browser.protocol.dataReceived(frame(payload, opcode=2 if self._binary else 1))

    def live(self, now: float) -> None:
        """A quarter of a second of this client's life."""
        if self._browser is None:
            if now >= self._back_at:
                self._connect()
            return
        if not self._stalled:
            self.hear()
        if self.loyal:
            return
        rng, luck = self._rng, self._rng.random()
        if self._stalled:
            self._stalled = now < self._busy_until
        elif luck < 0.003:
            self._stalled, self._busy_until = True, now + rng.uniform(1, 25)
        elif luck < 0.006:
            self._browser.vanish()
            self._browser, self._back_at = None, now + rng.choice((0.5, 5, 20, 90))
        elif luck < 0.012:
            self.say({"type": "configure", "maxRate": rng.choice((0, 0, 1, 2, 5, 100))})
        elif luck < 0.018:
            self.say({"type": "configure", "paused": rng.random() < 0.5})
        elif luck < 0.024:
            self.say({"type": "subscribe", "symbols": rng.sample(NAMES, 3), "snapshot": rng.random() < 0.5,
                      **({"maxRate": rng.choice((0, 3))} if rng.random() < 0.5 else {})})  # fmt: skip
        elif luck < 0.03:
            self.say({"type": "unsubscribe", "symbols": rng.sample(NAMES, 2)})
        elif luck < 0.04:
            self.say({"type": "subscribe", "symbols": ["*"]})

    def hear(self) -> None:
        """Take what came and let the checker see it."""
        self._left += self._read()
        for opcode, payload in take_frames(self._left):
            if opcode in (1, 2):
                self.checker.take(self._view.read(payload, opcode == 2))
            elif opcode == 9:
                assert self._browser is not None
                self._browser.protocol.dataReceived(frame(payload, opcode=10))


class Market:
    """Spots with prices that are known afterwards, and outages."""

    def __init__(self, server: Server, rng: random.Random) -> None:
        self.truth: dict[tuple[str, int], tuple[float, float]] = {}
        self.gaps = dict.fromkeys(NAMES, 0)
        self.outages = 0
        self._server = server
        self._rng = rng
        self._ids = dict(zip(NAMES, range(1, 100), strict=False))
        self._bids = dict.fromkeys(NAMES, 100_000)
        self._lost: set[str] = set()
        self._back_at = 0.0
        self._connect()

    def _connect(self) -> None:
        """A session: the broker gives the ids anew."""
        ids = list(self._ids.values())
        self._rng.shuffle(ids)
        self._ids = dict(zip(NAMES, ids, strict=True))
        self._server.symbols = [Symbol(symbol_id=self._ids[name], name=name) for name in NAMES]
        self._server.go_live()

    def live(self, now: float) -> None:
        """A quarter of a second of the market, in some reactor turns."""
        server, rng = self._server, self._rng
        if self._back_at:
            if now < self._back_at:
                return
            self._back_at = 0.0
            self._connect()
        elif rng.random() < 0.001:
            self._lose(None, "upstream-disconnect")
            server.hub.status_changed(LOST)
            self._back_at = now + rng.choice((1, 12, 60))
            self.outages += 1
            return
        elif rng.random() < 0.0005:
            self._lose(rng.sample(NAMES, 2), "stale")
        burst = 40 if rng.random() < 0.02 else 2
        for _ in range(rng.randrange(burst + 1)):
            (name,) = rng.choices(NAMES, WEIGHTS)
            self._spot(name)
            if rng.random() < 0.5:
                server.clock.advance(0)

    def _lose(self, names: list[str] | None, cause: str) -> None:
        self._lost.update(name for name in names or NAMES if self._server.hub.channels[name].seq)
        self._server.hub.feed_lost(cause, names)

    def _spot(self, name: str) -> None:
        self._bids[name] = bid = self._bids[name] + self._rng.randrange(-9, 11)
        self._server.hub.spot(self._ids[name], bid, bid + 7, 0)
        self.truth[name, self._server.hub.channels[name].seq] = (bid / 100_000, (bid + 7) / 100_000)
        if name in self._lost:
            self._lost.discard(name)
            self.gaps[name] += 1


def test_an_hour_without_an_unexplained_jump(clock: Clock) -> None:
    """Stalls, rates, pauses, reconnects with resume and outages: all accounted for, outages declared once."""
    rng = random.Random(20261123)
    server = Server(clock, max_connections_per_address=1000)
    market = Market(server, rng)
    loyal = [Client(server, rng, binary, loyal=True) for binary in (False, True)]
    clients = loyal + [Client(server, rng, binary) for binary in (False, True) * 3]
    for step in range(4 * 3600):
        now = step / 4
        market.live(now)
        for client in clients:
            client.live(now)
        clock.advance(0.25)
        if step % 4 == 0:
            server.factory.jobs.run()
    for client in clients:
        client.live(4000.0)
        checker = client.checker
        assert checker.faults == []
        wrong = [key for key, price in checker.prices.items() if price != market.truth[key]]
        assert wrong == []
        assert checker.ticks > 3_000
    for client in loyal:
        assert {name: len(client.checker.gaps.get(name, [])) for name in NAMES} == market.gaps
        assert client.checker.conflated == 0
        assert len(client.checker.prices) == len(market.truth)
    # The hour was a hard one.
    seen = [client.checker for client in clients[2:]]
    assert market.outages >= 5
    assert sum(c.recovered for c in seen) > 50 and sum(c.unrecovered for c in seen) > 10
    assert sum(c.replayed for c in seen) > 1_000 and sum(c.conflated for c in seen) > 1_000
    assert server.hub.fanout.counters.fell_behind > 20
