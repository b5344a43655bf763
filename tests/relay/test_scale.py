"""Whatever symbol lists come, every tick that a client decodes has the price that the relay received."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.checker import Checker
from tests.support.frames import frame
from tests.support.v1 import JSON, PROTOBUF
from tests.support.view import View
from tickrelay.model.ticks import Symbol
from tickrelay.wire import tickrelay_pb2

NAMES = ("EURUSD", "GBPUSD", "USDJPY")
IDS = (1, 2, 3, 4)
PRICE = 1_008_502
"""10.08502: with too many or too few digits none of the prices near it is another one of them."""

SUBPROTOCOLS: tuple[bytes | None, ...] = (None, JSON, PROTOBUF)
LISTING = st.fixed_dictionaries({}, optional={name: st.sampled_from((5, 5, 3, 2)) for name in NAMES})


def shown(price: int, digits: int) -> float:
    """A *price* (1/100000) as a decimal with *digits* digits, halves away from zero."""
    unit = 10 ** (5 - digits)
    return float((price + unit // 2) // unit * unit / 100_000)


class Market:
    """A relay, what it was sent, and the newest symbol list; each list is of new objects, as a session makes them."""

    def __init__(self) -> None:
        self.server = Server(Clock())
        self.ids: dict[str, int] = {}
        self.digits: dict[str, int] = {}
        self.prices = 0
        self.truth: dict[tuple[str, int], tuple[float, float]] = {}
        """(symbol, seq) -> (bid, ask)."""
        self.counts = dict.fromkeys(NAMES, 0)
        self.server.go_live()
        self.server.hub.keep_history = lambda channel: channel.keep_history(8)  # type: ignore[method-assign]

    def load(self, listing: dict[str, int], ids: tuple[int, ...]) -> None:
        """A symbol list: name -> digits; the ids are given out in their order."""
        self.digits = dict(listing)
        self.ids = dict(zip(NAMES, ids, strict=False))
        symbols = [Symbol(symbol_id=self.ids[name], name=name, digits=digits) for name, digits in listing.items()]
        self.server.hub.symbols_loaded(symbols)

    def tick(self, name: str, flush: bool = True) -> None:
        """A spot event of *name*, if it is listed; without *flush* the reactor's turn does not end."""
        if name not in self.digits:
            return
        self.prices += 1
        bid = PRICE + self.prices * 7
        ask = bid + 13 + self.prices % 3
        if name in self.server.hub.channels:
            self.counts[name] += 1
            digits = self.digits[name]
            self.truth[name, self.counts[name]] = (shown(bid, digits), shown(ask, digits))
        self.server.hub.spot(self.ids[name], bid, ask, 0)
        if flush:
            self.server.clock.advance(0.01)


class Client:
    """One client of any encoding, that connects again and again, and knows only what it was sent."""

    def __init__(self, market: Market, subprotocol: bytes | None) -> None:
        self.market = market
        self.subprotocol = subprotocol
        self.checker = Checker()
        self.slow = False
        self.decoded = 0
        self.connect()

    def connect(self) -> None:
        """Open a connection, in which nothing is known but the positions of the last one."""
        self.browser = Browser(self.market.server)
        self.browser.open(*([self.subprotocol] if self.subprotocol else []))
        self.view = View()
        self.checker.opened()
        self.slow = False
        if self.subprotocol == PROTOBUF:
            connect = tickrelay_pb2.ClientMessage(connect=tickrelay_pb2.Connect(features=["gap"]))
            self.browser.protocol.dataReceived(frame(connect.SerializeToString(), 2))
        else:
            self.browser.say({"type": "connect", **({"features": ["gap"]} if self.subprotocol else {})})
        self.take()

    def reconnect(self) -> None:
        """Lose the connection, then resume."""
        names = sorted(self.checker.subscribed)
        self.browser.vanish()
        self.connect()
        if names:
            self.subscribe(names, snapshot=False, resume=True)

    def subscribe(self, names: list[str], snapshot: bool, resume: bool, rate: float = 0.0) -> None:
        """Subscribe; with *resume*: from the positions that are known."""
        positions = self.checker.resume() if resume else {}
        if self.subprotocol == PROTOBUF:
            request = tickrelay_pb2.Subscribe(symbols=names, snapshot=snapshot, max_rate=rate)
            for name, position in positions.items():
                request.resume[name].CopyFrom(tickrelay_pb2.Position(**position))
            message = tickrelay_pb2.ClientMessage(subscribe=request)
            self.browser.protocol.dataReceived(frame(message.SerializeToString(), 2))
        elif self.subprotocol:
            self.browser.say(
                {"type": "subscribe", "symbols": names, "snapshot": snapshot, "resume": positions, "maxRate": rate}
            )
        else:
            self.browser.say({"type": "subscribe", "symbols": names})
        self.take()

    def unsubscribe(self, name: str) -> None:
        """End a subscription; what is on the way is read before."""
        self.keep_up()
        if self.subprotocol == PROTOBUF:
            message = tickrelay_pb2.ClientMessage(unsubscribe=tickrelay_pb2.Unsubscribe(symbols=[name]))
            self.browser.protocol.dataReceived(frame(message.SerializeToString(), 2))
        else:
            self.browser.say({"type": "unsubscribe", "symbols": [name]})
        self.take()

    def stall(self) -> None:
        """The transport is full from here on."""
        if not self.slow:
            self.slow = True
            self.browser.protocol.pauseProducing()

    def keep_up(self) -> None:
        """The transport has written out all it had."""
        if self.slow:
            self.slow = False
            self.browser.protocol.resumeProducing()

    def take(self) -> None:
        """Check what was received."""
        for opcode, payload in self.browser.frames():
            if opcode not in (1, 2):
                continue
            message = self.view.read(payload, opcode == 2)
            if message["type"] == "tick":
                self.decoded += 1
                self.check(message)
            if self.subprotocol:
                self.checker.take(message)
        assert self.checker.faults == []

    def check(self, tick: dict[str, Any]) -> None:
        """Hold the decoded prices against those that the relay received."""
        pair = (tick["bid"], tick["ask"])
        if self.subprotocol:
            assert pair == self.market.truth[tick["symbol"], tick["seq"]], tick
        else:
            assert pair in [true for (name, _), true in self.market.truth.items() if name == tick["symbol"]], tick


class Scales(RuleBasedStateMachine):
    """Six clients of three encodings, and a broker whose ids and digits change in every list."""

    @initialize(ids=st.permutations(IDS))
    def begin(self, ids: list[int]) -> None:
        """The first list has every symbol."""
        self.market = Market()
        self.market.load(dict.fromkeys(NAMES, 5), tuple(ids))
        self.clients = [Client(self.market, subprotocol) for subprotocol in SUBPROTOCOLS * 2]

    @rule(listing=LISTING, ids=st.permutations(IDS))
    def another_list(self, listing: dict[str, int], ids: list[int]) -> None:
        """A new session, or a change in this one."""
        self.market.load(listing, tuple(ids))

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), flush=st.booleans())
    def ticks(self, names: list[str], flush: bool) -> None:
        """The market moves."""
        for name in names:
            self.market.tick(name, flush)

    @rule(
        n=st.integers(0, 5),
        names=st.sets(st.sampled_from(NAMES), min_size=1),
        snapshot=st.booleans(),
        resume=st.booleans(),
        rate=st.sampled_from((0.0, 0.0, 10.0)),
    )
    def subscribe(self, n: int, names: set[str], snapshot: bool, resume: bool, rate: float) -> None:
        """A client subscribes, perhaps from where it was."""
        self.clients[n].subscribe(sorted(names), snapshot, resume, rate)

    @rule(n=st.integers(0, 5), name=st.sampled_from(NAMES))
    def unsubscribe(self, n: int, name: str) -> None:
        """A client gives a symbol back."""
        self.clients[n].unsubscribe(name)

    @rule(n=st.integers(0, 5))
    def reconnect(self, n: int) -> None:
        """A client loses its connection and resumes."""
        self.clients[n].reconnect()

    @rule(n=st.integers(0, 5))
    def stall(self, n: int) -> None:
        """A client reads no more."""
        self.clients[n].stall()

    @rule(n=st.integers(0, 5))
    def keep_up(self, n: int) -> None:
        """A client reads on."""
        self.clients[n].keep_up()

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1))
    def outage(self, names: set[str]) -> None:
        """The feed is lost for some symbols."""
        self.market.server.hub.feed_lost("stale", sorted(names))

    @invariant()
    def prices_are_true(self) -> None:
        """All that was received decodes to what was sent."""
        for client in self.clients:
            client.take()

    def teardown(self) -> None:
        """Everyone reads what is left, and then one more tick of each symbol."""
        if not hasattr(self, "clients"):
            return
        for client in self.clients:
            client.keep_up()
        self.market.server.clock.advance(1.0)
        for name in NAMES:
            self.market.tick(name)
        self.market.server.clock.advance(1.0)
        self.prices_are_true()


Scales.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_prices_are_true_whatever_lists_come = Scales.TestCase


def test_a_resumed_binary_client_decodes_old_ticks_with_the_digits_they_had() -> None:
    """The symbol has two digits more under the same id: a replay of ticks from before names their digits."""
    market = Market()
    market.load({"EURUSD": 3}, (1,))
    client = Client(market, PROTOBUF)
    other = Client(market, PROTOBUF)
    client.subscribe(["EURUSD"], snapshot=False, resume=False)
    other.subscribe(["EURUSD"], snapshot=False, resume=False)
    market.tick("EURUSD")
    client.take()
    client.browser.vanish()
    market.tick("EURUSD")
    market.load({"EURUSD": 5}, (1,))
    client.reconnect()
    assert client.decoded == 2 and client.checker.recovered == 1
    market.tick("EURUSD")
    client.take()
    other.take()
    assert other.decoded == 3, "the replay to one client does not announce the symbol to the others"


def one_that_stalls() -> tuple[Market, Client, Client]:
    """Two binary clients of two symbols, of which the first has ticks of EURUSD waiting for it."""
    market = Market()
    market.load({"EURUSD": 5, "GBPUSD": 3}, (1, 2))
    clients = Client(market, PROTOBUF), Client(market, PROTOBUF)
    for client in clients:
        client.subscribe(["GBPUSD", "EURUSD"], snapshot=False, resume=False)
    clients[0].stall()
    for _ in range(2):
        market.tick("EURUSD")
    return market, *clients


def test_two_names_that_exchange_their_ids_stay_apart() -> None:
    """A slow client catches up with ticks from before the exchange, under the ids of after it."""
    market, client, quick = one_that_stalls()
    market.load({"EURUSD": 5, "GBPUSD": 3}, (2, 1))
    market.tick("GBPUSD")
    client.keep_up()
    market.tick("GBPUSD")
    market.tick("EURUSD")
    client.take()
    quick.take()
    assert quick.decoded == 5 and client.decoded >= 4


def test_a_name_that_is_gone_leaves_its_id_to_another() -> None:
    """The last tick of a name that left the list does not take the id back from the name that has it now."""
    market, client, _ = one_that_stalls()
    market.load({"GBPUSD": 3}, (9, 1))
    market.tick("GBPUSD")
    client.keep_up()
    market.tick("GBPUSD")
    client.take()
    assert client.decoded >= 4
