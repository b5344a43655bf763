"""Many clients that resume at once: an encoding a tick, short turns, and each stream as the protocol promises it."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twisted.internet.task import Clock

from tests.downstream.test_steps import ANSWERS, request_frame
from tests.support.browser import Browser, Server
from tests.support.checker import Checker
from tests.support.turns import Turns
from tests.support.v1 import JSON, PROTOBUF
from tests.support.view import View
from tickrelay.admission.ledger import ADDRESS_BURST_S, MODEST_S, PIECE_S, SLICE_S
from tickrelay.downstream import subscribe_request
from tickrelay.model.ticks import Symbol
from tickrelay.relay import replay_cache
from tickrelay.wire.v1_json import V1Json
from tickrelay.wire.v1_protobuf import V1Protobuf

NAMES = ["EURUSD", "GBPUSD", "XAUUSD"]
COST_S = 0.0001
"""Work between two readings of the clock."""


class Resumer:
    """A client that believes nothing and comes back again and again."""

    def __init__(self, server: Server, turns: Turns, number: int) -> None:
        self.offer = (JSON, PROTOBUF)[number % 2]
        self.checker = Checker()
        self._server = server
        self._turns = turns
        self._address = f"10.0.1.{number}"
        self.connect()

    def connect(self) -> None:
        """Open a connection."""
        self.checker.opened()
        self.view = View()
        self.unanswered = 0
        self.browser = Browser(self._server, self._address)
        self.browser.request(self.offer)
        while not self.browser.transport.value():
            self._turns.turn()
        self.browser.opened()
        self.say(type="connect", protocol=1, features=["gap"])

    def say(self, **request: Any) -> None:
        """Send a request in the client's encoding."""
        self.unanswered += 1
        self.browser.protocol.dataReceived(request_frame(self.offer, request))

    def resume(self, names: list[str]) -> None:
        """Subscribe from the positions that the checker knows."""
        known = self.checker.resume()
        self.say(type="subscribe", symbols=names, resume={name: known[name] for name in names if name in known})

    def hear(self) -> None:
        """Give what came to the checker."""
        for opcode, payload in self.browser.frames():
            if opcode in (1, 2):
                message = self.view.read(payload, opcode == 2)
                self.checker.take(message)
                self.unanswered -= message["type"] in ANSWERS


def a_server(turns: Turns, **limits: Any) -> Server:
    """A relay with three symbols, and a client that keeps all of them subscribed with a history."""
    server = Server(Clock(), turns, ping_interval_s=0.0, max_connections_per_address=1000, **limits)
    server.symbols = [Symbol(symbol_id=n, name=name) for n, name in enumerate(NAMES, 1)]
    server.go_live()
    loyal = Browser(server, "10.0.0.2")
    loyal.open(JSON)
    loyal.say({"type": "subscribe", "symbols": NAMES})
    return server


def settle(turns: Turns) -> list[float]:
    """Turns until nothing is to be done; how long each took."""
    lengths = []
    for _ in range(10_000):
        turns.now_s += 0.01
        if not turns.is_busy:
            return lengths
        lengths.append(turns.turn())
    raise AssertionError("the work never ends")


@pytest.mark.parametrize("addresses", [1, 200])
def test_two_hundred_resumes_cost_one_encoding_a_tick(addresses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each encoding; they share the reactor's turns, each of which stays short, with a ping answered in it."""
    made = {V1Json: 0, V1Protobuf: 0}
    for encoding in made:

        def newest(self: Any, *args: Any, encoding: Any = encoding, newest: Any = encoding.newest) -> bytes:
            made[encoding] += 1
            return bytes(newest(self, *args))

        monkeypatch.setattr(encoding, "newest", newest)
    turns = Turns()
    server = a_server(turns)
    for n in range(700):
        server.hub.spot(1 + n % 2, 100_000 + n, 100_010 + n, 0)
    settle(turns)
    clients = []
    for number in range(200):
        browser = Browser(server, f"10.0.{number % addresses}.1")
        browser.open((JSON, PROTOBUF)[number // 2 % 2])
        browser.transport.clear()
        clients.append(browser)
    pinging = Browser(server, "10.1.1.1")
    pinging.open(JSON)
    requests = []
    for number in range(200):
        names = ["EURUSD", "GBPUSD"]
        resume = {name: {"epoch": "e1", "seq": number % 50} for name in names}
        request = {"type": "subscribe", "symbols": names, "resume": resume}
        requests.append(request_frame((JSON, PROTOBUF)[number // 2 % 2], request))
    turns.cost_s = COST_S
    before_s = turns.now_s
    for client, request in zip(clients, requests, strict=True):
        client.protocol.dataReceived(request)
    # What is done at once are the first requests, and reading the others.
    at_once = max(2 * MODEST_S, ADDRESS_BURST_S if addresses == 1 else 0.0) + PIECE_S
    assert turns.now_s - before_s < at_once + 200 * 12 * COST_S
    while turns.is_busy:
        assert turns.turn() <= SLICE_S + PIECE_S + 10 * COST_S
        assert pinging.ask({"type": "ping"})["type"] == "pong"
    turns.cost_s = 0.0
    assert made == {V1Json: 700, V1Protobuf: 700}
    for number, client in enumerate(clients):
        view = View()
        messages = [view.read(payload, opcode == 2) for opcode, payload in client.frames()]
        for name in ("EURUSD", "GBPUSD"):
            seqs = [message["seq"] for message in messages if message.get("symbol") == name]
            assert seqs == list(range(number % 50 + 1, 351))


def test_a_lone_client_resumes_at_once() -> None:
    """Nothing else is to be done, so the answer and all ticks come in the turn of the request."""
    turns = Turns()
    server = a_server(turns)
    for n in range(500):
        server.hub.spot(1, 100_000 + n, 100_010 + n, 0)
    settle(turns)
    client = Resumer(server, turns, 0)
    client.hear()
    client.say(type="subscribe", symbols=["EURUSD"], resume={"EURUSD": {"epoch": "e1", "seq": 0}})
    assert len(list(client.browser.frames())) == 501


def test_kept_frames_have_the_ids_of_the_present_session(clock: Clock) -> None:
    """A tick that was replayed before cTrader gave the symbol another id has the new one afterwards."""
    turns = Turns()
    server = a_server(turns)
    server.hub.spot(1, 100_000, 100_010, 0)
    settle(turns)
    ids = []
    for symbol_id in (1, 9):
        server.hub.symbols_loaded([Symbol(symbol_id=symbol_id, name="EURUSD")])
        for _ in range(2):
            client = Resumer(server, turns, 0)
            client.say(type="subscribe", symbols=["EURUSD"], resume={"EURUSD": {"epoch": "e1", "seq": 0}})
            settle(turns)
            ids += [m["symbolId"] for m in client.browser.hear() if m["type"] == "tick"]
    assert ids == [1, 1, 9, 9]


class Resumes(RuleBasedStateMachine):
    """Four clients, half of them binary, who come and go while the market moves and cTrader is lost."""

    clients = st.integers(0, 3)
    symbols = st.sampled_from(NAMES)
    lists = st.lists(symbols, min_size=1, max_size=3, unique=True)

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(subscribe_request, "STEP_FRAMES", 2)
        self.patch.setattr(replay_cache, "MOST_KEPT", 10)
        self.turns = Turns()
        self.server = a_server(self.turns)
        self.price = 100_000
        self.truth: dict[tuple[str, int], float] = {}
        self.resumers = [Resumer(self.server, self.turns, number) for number in range(4)]
        for resumer in self.resumers:
            resumer.resume(NAMES)
        for name in NAMES:
            self.ticks(name, 3)
        settle(self.turns)
        self.turns.cost_s = PIECE_S * 0.6

    @rule(name=symbols, count=st.integers(1, 6))
    def ticks(self, name: str, count: int) -> None:
        """The market moves."""
        hub = self.server.hub
        for _ in range(count):
            self.price += 1
            hub.spot(hub.symbols[name].symbol_id, self.price, self.price + 10, 0)
            self.truth[name, hub.channels[name].seq] = self.price / 100_000

    @rule(count=st.integers(1, 4))
    def turn(self, count: int) -> None:
        """The reactor goes on."""
        for _ in range(count):
            self.turns.turn()

    @rule()
    def catch_up(self) -> None:
        """The reactor does all that is to be done."""
        self.turns.cost_s = 0.0
        settle(self.turns)
        self.turns.cost_s = PIECE_S * 0.6

    @rule(n=clients, names=lists, heard=st.booleans())
    def reconnect(self, n: int, names: list[str], heard: bool) -> None:
        """A connection is lost, maybe with what was on its way; the client comes back."""
        resumer = self.resumers[n]
        if heard:
            resumer.hear()
        resumer.browser.vanish()
        resumer.connect()
        resumer.resume(names)

    @rule(names=lists)
    def network_is_back(self, names: list[str]) -> None:
        """All come back at once."""
        for n in range(4):
            self.reconnect(n, names, True)

    @rule(n=clients, names=lists)
    def resubscribe(self, n: int, names: list[str]) -> None:
        """A client unsubscribes, and later subscribes again from where it stood."""
        resumer = self.resumers[n]
        resumer.say(type="unsubscribe", symbols=names)
        self.catch_up()
        resumer.hear()
        if not resumer.unanswered:
            resumer.resume(names)

    @rule(n=clients, names=lists)
    def unsubscribe(self, n: int, names: list[str]) -> None:
        """A client gives symbols back, maybe in the middle of their replay."""
        self.resumers[n].say(type="unsubscribe", symbols=names)

    @rule(n=clients, paused=st.booleans())
    def pause(self, n: int, paused: bool) -> None:
        """A client wants no ticks for a while."""
        self.resumers[n].say(type="configure", paused=paused)

    @rule(n=clients, full=st.booleans())
    def read(self, n: int, full: bool) -> None:
        """A client stops reading, or reads on."""
        protocol = self.resumers[n].browser.protocol
        (protocol.pauseProducing if full else protocol.resumeProducing)()

    @rule(names=st.none() | lists)
    def lose(self, names: list[str] | None) -> None:
        """CTrader is lost."""
        self.server.hub.feed_lost("stale", names)

    @rule(shift=st.integers(1, 2))
    def relist(self, shift: int) -> None:
        """Each id is another symbol's."""
        symbols = [Symbol(symbol_id=n, name=name) for n, name in enumerate(NAMES[shift:] + NAMES[:shift], 1)]
        self.server.hub.symbols_loaded(symbols)

    @rule(seconds=st.sampled_from([1.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        """The periodic jobs are done; nobody is stuck for so long that it is closed."""
        for n in range(4):
            self.read(n, False)
        self.turns.now_s += seconds
        self.server.factory.jobs.run()

    @invariant()
    def streams_are_true(self) -> None:
        """Each tick is accounted for, none comes twice or before its answer, and the prices are those of the market."""
        for resumer in self.resumers:
            resumer.hear()
            assert resumer.checker.faults == []
            for (name, seq), (bid, _) in resumer.checker.prices.items():
                assert bid == self.truth[name, seq], (name, seq)

    def teardown(self) -> None:
        """All read to the end, and stand where the market is."""
        try:
            for n in range(4):
                self.read(n, False)
                self.pause(n, False)
            self.turns.cost_s = 0.0
            settle(self.turns)
            for name in NAMES:
                self.ticks(name, 1)
            settle(self.turns)
            self.streams_are_true()
            for resumer in self.resumers:
                assert resumer.unanswered == 0
                for name in resumer.checker.subscribed:
                    assert resumer.checker.positions[name].seq == self.server.hub.channels[name].seq
        finally:
            self.patch.undo()


Resumes.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_resumes_in_any_order = Resumes.TestCase
