"""Clients that come, go and resume in any order: each stream is as the protocol promises it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.resumes import NAMES, Resumer, a_server, settle
from tests.support.turns import Turns
from tickrelay.admission.ledger import PIECE_S
from tickrelay.downstream import subscribe_request
from tickrelay.model.ticks import Symbol
from tickrelay.relay import replay_cache


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
