"""A request answered in steps, with everything that may happen between two of them, held against the checker."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.checker import Checker
from tests.support.turns import Turns
from tests.support.v1 import ANSWERS, JSON, PROTOBUF, request_frame
from tests.support.view import View
from tickrelay.admission.ledger import PIECE_S
from tickrelay.downstream import basic, subscribe_request, unsubscribe_request
from tickrelay.model.ticks import Symbol
from tickrelay.wire import lists

NAMES = ["EURUSD", "EURGBP", "EURJPY", "GBPUSD", "USDJPY", "XAUUSD"]


@pytest.fixture(autouse=True, scope="module")
def one_thing_a_step() -> Any:
    """Each name, item and frame is a step of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(basic, "STEP_NAMES", 1)
        patched.setattr(subscribe_request, "STEP_NAMES", 1)
        patched.setattr(unsubscribe_request, "STEP_NAMES", 1)
        patched.setattr(subscribe_request, "STEP_FRAMES", 1)
        patched.setattr(lists, "STEP_ITEMS", 1)
        yield


class Stage:
    """A relay whose every step takes a turn, and a client that believes nothing."""

    def __init__(self, offer: bytes) -> None:
        self.turns = Turns(0.0)
        self.server = Server(Clock(), self.turns, ping_interval_s=0.0)
        self.server.symbols = [Symbol(symbol_id=n, name=name) for n, name in enumerate(NAMES, 1)]
        self.server.go_live()
        self.offer = offer
        self.checker = Checker()
        self.view = View()
        # Keeps every symbol subscribed, so that ticks go on and can be replayed.
        self.loyal = Browser(self.server, "10.0.0.2")
        self.loyal.open()
        self.loyal.say({"type": "subscribe", "symbols": NAMES})
        self.client = self._connect()
        self.spots = 0
        self.truth: dict[tuple[str, int], float] = {}
        """(symbol, seq) -> bid."""

    def _connect(self) -> Browser:
        self.checker.opened()
        self.view = View()
        self.unanswered = 0
        client = Browser(self.server)
        client.request(self.offer)
        while not client.transport.value():
            self.turns.turn()  # a handshake may have to wait its turn
        client.opened()
        return client

    def say(self, **request: Any) -> None:
        """Send a request in the client's encoding."""
        self.unanswered += 1
        self.client.protocol.dataReceived(request_frame(self.offer, request))

    def hear(self) -> list[dict[str, Any]]:
        """Give what came to the checker."""
        heard = [self.view.read(payload, opcode == 2) for opcode, payload in self.client.frames() if opcode in (1, 2)]
        for message in heard:
            self.checker.take(message)
            self.unanswered -= message["type"] in ANSWERS
        return heard

    def settle(self) -> None:
        """Turns until nothing is to be done."""
        for _ in range(2_000):
            self.turns.now_s += 0.01
            if not self.turns.is_busy:
                return
            self.turns.turn()
        raise AssertionError("the work never ends")

    def do(self, action: tuple[Any, ...]) -> None:
        """Let something happen."""
        hub = self.server.hub
        match action:
            case ("turn",):
                self.turns.turn()
            case ("spot", name) if name in hub.symbols:
                self.spots += 1
                price = 100_000 + self.spots
                hub.spot(hub.symbols[name].symbol_id, price, price + 10, 0)
                if name in hub.channels:
                    self.truth[name, hub.channels[name].seq] = price / 100_000
            case ("flush",):
                hub.fanout.flush()
            case ("lost", name):
                hub.feed_lost("stale", [name])
            case ("ids", shift):
                # Ids are given anew: each is another symbol's now.
                names = NAMES[shift:] + NAMES[:shift]
                hub.symbols_loaded([Symbol(symbol_id=n, name=name) for n, name in enumerate(names, 1)])
            case ("without", name):
                hub.symbols_loaded([s for s in hub.symbols.values() if s.name != name])
            case ("disabled", name) if name in hub.symbols:
                other = Symbol(symbol_id=hub.symbols[name].symbol_id, name=name, enabled=False)
                hub.symbols_loaded([other if s.name == name else s for s in hub.symbols.values()])
            case ("full",):
                self.client.protocol.pauseProducing()
            case ("drained",):
                self.client.protocol.resumeProducing()
            case ("reconnect",):
                self.hear()
                self.client.vanish()
                self.client = self._connect()
                self.say(type="connect", protocol=1, features=["gap"])
            case ("subscribe", symbols, snapshot, rate, resume):
                request: dict[str, Any] = {"type": "subscribe", "symbols": symbols, "snapshot": snapshot}
                if rate is not None:
                    request["maxRate"] = rate
                if resume and not self.unanswered:  # an answer that is still to come may move the position
                    request["resume"] = self.checker.resume()
                self.say(**request)
            case ("unsubscribe", symbols):
                self.say(type="unsubscribe", symbols=symbols)
            case ("pause", paused):
                self.say(type="configure", paused=paused)


NAME = st.sampled_from(NAMES)
SPELLED = st.lists(NAME | st.sampled_from(["eur/usd", "EUR*", "*USD", "*", "FOO"]), min_size=1, max_size=6)
EVENTS = st.one_of(
    st.just(("turn",)),
    st.tuples(st.just("spot"), NAME),
    st.tuples(st.just("spot"), NAME),
    st.just(("flush",)),
    st.sampled_from([("full",), ("drained",)]),
    st.tuples(st.just("lost"), NAME),
    st.tuples(st.just("ids"), st.integers(1, 5)),
    st.tuples(st.just("without"), NAME),
    st.tuples(st.just("disabled"), NAME),
)
SUBSCRIBE = st.tuples(
    st.just("subscribe"), SPELLED | st.just(["*"]), st.booleans(), st.sampled_from([None, None, 0, 5]), st.booleans()
)
REQUESTS = SUBSCRIBE | st.tuples(st.just("unsubscribe"), SPELLED) | st.tuples(st.just("pause"), st.booleans())


def with_events(first: list[st.SearchStrategy[Any]]) -> st.SearchStrategy[list[Any]]:
    """These actions, and then turns with events between them."""
    between = st.lists(EVENTS, max_size=2).map(lambda events: [("turn",), *events])
    return st.tuples(st.tuples(*first), st.lists(between, max_size=12)).map(
        lambda both: [*both[0], *(event for events in both[1] for event in events)]
    )


ACTIONS = st.lists(
    with_events([st.just(("reconnect",)), SUBSCRIBE]) | with_events([REQUESTS]) | with_events([]), max_size=5
).map(lambda parts: [action for part in parts for action in part])


GAP_BEFORE_SNAPSHOT = [
    ("subscribe", ["*"], True, None, False),
    *[("turn",)] * 5,
    ("lost", "EURGBP"),
    ("spot", "EURGBP"),
]


@given(st.sampled_from([JSON, PROTOBUF]), ACTIONS)
@example(JSON, GAP_BEFORE_SNAPSHOT)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
def test_nothing_between_two_steps_makes_a_tick_lost_or_doubled(offer: bytes, actions: list[tuple[Any, ...]]) -> None:
    """Ticks, losses, other symbol lists, pauses and lost connections at any moment: each tick is accounted for."""
    stage = Stage(offer)
    stage.do(("reconnect",))
    stage.say(type="subscribe", symbols=["*"])
    for name in NAMES * 3:
        stage.do(("spot", name))
    stage.settle()
    stage.turns.cost_s = PIECE_S * 0.6
    for action in actions:
        stage.do(action)
        stage.hear()
    stage.do(("pause", False))
    stage.do(("drained",))
    stage.settle()
    stage.hear()
    stage.turns.cost_s = 0.0
    stage.settle()
    hub = stage.server.hub
    for name in NAMES:
        stage.do(("spot", name))
    for _ in range(5):
        stage.turns.now_s += 1.0
        stage.turns.turn()
    stage.settle()
    stage.hear()
    checker = stage.checker
    assert checker.faults == []
    session = stage.client.protocol.session
    assert session is not None and session.subscriber.held is None
    assert checker.subscribed == {channel.symbol.name for channel in session.subscriber.channels}
    for name in checker.subscribed:
        assert checker.positions[name].seq == hub.channels[name].seq, name
    for (name, seq), (bid, _) in checker.prices.items():
        assert bid == stage.truth[name, seq], (name, seq)
    stage.client.vanish()
    stage.loyal.vanish()
    assert stage.server.feed.wanted == []
