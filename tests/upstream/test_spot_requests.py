"""The outcome of one subscribe or unsubscribe request, by the reaction to its answer."""

from typing import Any

import pytest

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tickrelay.model.ticks import Symbol
from tickrelay.openapi.messages_pb2 import ProtoOASubscribeSpotsReq
from tickrelay.upstream.errors import LinkLost, OpenApiError, RequestTimeout
from tickrelay.upstream.spot_requests import REFUSED_AGAIN_S, SPACING_S, SpotRequests
from tickrelay.upstream.symbol_table import SymbolTable


class Bench:
    """The requests of one connection; serves as their link and their owner."""

    def __init__(self, clock: Clock, doubtful: set[int]) -> None:
        table = SymbolTable()
        for symbol_id, name in enumerate("ABCD", 1):
            table.by_id[symbol_id] = table.by_name[name] = Symbol(symbol_id=symbol_id, name=name)
        self.asked: list[tuple[bool, list[int], Deferred[Any]]] = []
        self.confirmed: list[str] = []
        self.refused: dict[str, str] = {}
        self.failures: list[Exception] = []
        self.looks: list[float] = []
        link: Any = self
        self.spots = SpotRequests(link, table, 1, TestClock(clock), self, self.looks.append, doubtful)

    def request(self, message: Any) -> Deferred[Any]:
        """The link's."""
        answer: Deferred[Any] = Deferred()
        self.asked.append((isinstance(message, ProtoOASubscribeSpotsReq), list(message.symbolId), answer))
        return answer

    def symbol_confirmed(self, name: str) -> None:
        """Kept."""
        self.confirmed.append(name)

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Kept."""
        self.refused[name] = code

    def request_failed(self, error: Exception) -> None:
        """Kept."""
        self.failures.append(error)

    def answer(self, error: Exception | None = None) -> tuple[bool, list[int]]:
        """Answer the oldest request; returns what it was."""
        subscribe, ids, answer = self.asked.pop(0)
        answer.callback(None) if error is None else answer.errback(error)
        return subscribe, ids

    def sent(self) -> list[tuple[bool, list[int]]]:
        """The requests without an answer."""
        return [(subscribe, ids) for subscribe, ids, _ in self.asked]


@pytest.fixture
def bench(clock: Clock) -> Bench:
    """A connection on which nothing is subscribed."""
    return Bench(clock, set())


def test_confirmed(bench: Bench) -> None:
    """One request; the sets are equal when it is answered."""
    assert not bench.spots.approach({1, 2})
    assert bench.sent() == [(True, [1, 2])] and bench.spots.standing == {1, 2}
    bench.answer()
    assert bench.confirmed == ["A", "B"] and bench.looks == [0]
    assert bench.spots.approach({1, 2}) and not bench.asked


def test_a_symbol_is_not_asked_for_twice_in_a_quarter_second(bench: Bench, clock: Clock) -> None:
    """Whatever is wanted meanwhile: it is looked at again when the time has passed."""
    bench.spots.approach({1})
    bench.answer()
    clock.advance(0.1)
    assert not bench.spots.approach(set()) and not bench.asked
    assert bench.looks[-1] == pytest.approx(SPACING_S - 0.1)
    clock.advance(SPACING_S)
    bench.spots.approach(set())
    assert bench.answer() == (False, [1])
    assert not bench.spots.standing


def test_temporary_trouble(bench: Bench, clock: Clock) -> None:
    """Repeated after a wait that doubles; meanwhile the sets count as settled, and after the last try it is refused."""
    bench.spots.approach({1})
    for wait_s in (1.0, 2.0, 4.0):
        bench.answer(OpenApiError("UNKNOWN_ERROR"))
        assert bench.spots.approach({1}) and not bench.asked
        clock.advance(wait_s)
        assert bench.sent() == [(True, [1])]
    bench.answer(OpenApiError("UNKNOWN_ERROR"))
    assert bench.refused == {"A": "UNKNOWN_ERROR"} == bench.spots.refused
    clock.advance(REFUSED_AGAIN_S)
    assert not bench.spots.refused, "worth another try"


def test_a_refused_batch_is_halved(bench: Bench) -> None:
    """Until the bad symbol is found, which is not tried again."""
    bench.spots.approach({1, 2, 3, 4})
    bench.answer(OpenApiError("SYMBOL_NOT_FOUND"))
    assert bench.sent() == [(True, [1, 2]), (True, [3, 4])]
    bench.answer()
    bench.answer(OpenApiError("SYMBOL_NOT_FOUND"))
    assert bench.sent() == [(True, [3]), (True, [4])]
    bench.answer()
    bench.answer(OpenApiError("SYMBOL_NOT_FOUND", "no such"))
    assert bench.confirmed == ["A", "B", "C"] and bench.refused == {"D": "SYMBOL_NOT_FOUND"}


def test_a_batch_of_which_some_hold_already(bench: Bench) -> None:
    """One by one; each that holds is confirmed."""
    bench.spots.approach({1, 2, 3})
    bench.answer(OpenApiError("ALREADY_SUBSCRIBED"))
    assert bench.sent() == [(True, [1]), (True, [2]), (True, [3])]
    for error in (OpenApiError("ALREADY_SUBSCRIBED"), None, OpenApiError("NO_QUOTES")):
        bench.answer(error)
    assert bench.confirmed == ["A", "B", "C"] and not bench.refused


@pytest.mark.parametrize(
    "error", [RequestTimeout("late"), OpenApiError("ACCOUNT_NOT_AUTHORIZED"), OpenApiError("CH_CLIENT_AUTH_FAILURE")]
)
def test_an_error_of_the_whole_session(bench: Bench, error: Exception) -> None:
    """It is passed to the owner; no symbol is refused."""
    bench.spots.approach({1, 2})
    bench.answer(error)
    assert bench.failures == [error] and not bench.refused and not bench.asked


def test_a_lost_connection_is_not_reported(bench: Bench) -> None:
    """The connection itself reports that."""
    bench.spots.approach({1})
    bench.answer(LinkLost("lost"))
    assert not bench.failures and not bench.refused


def test_what_may_still_be_subscribed(clock: Clock) -> None:
    """The account was authorised again on the same connection: what is not wanted is unsubscribed."""
    bench = Bench(clock, {1, 2})
    bench.spots.approach({2})
    assert bench.sent() == [(False, [1]), (True, [2])]
    bench.answer(OpenApiError("NOT_SUBSCRIBED_TO_SPOTS"))
    bench.answer(OpenApiError("ALREADY_SUBSCRIBED"))
    assert bench.spots.standing == {2} and bench.confirmed == ["B"]


def test_a_name_that_the_account_does_not_have(bench: Bench) -> None:
    """Reported once."""
    bench.spots.refuse_if_unknown("A")
    bench.spots.refuse_if_unknown("X")
    bench.refused["X"] += "!"
    bench.spots.refuse_if_unknown("X")
    assert bench.refused == {"X": "UNKNOWN_SYMBOL!"}


def test_nothing_happens_after_the_end(bench: Bench, clock: Clock) -> None:
    """Requests are cancelled, repetitions too."""
    bench.spots.approach({1, 2})
    bench.answer(OpenApiError("TIMEOUT_ERROR"))
    bench.spots.approach({1, 2, 3})
    ((_, ids, pending),) = bench.asked
    bench.spots.stop()
    assert ids == [3] and pending.called and not clock.getDelayedCalls()
    assert not bench.confirmed and not bench.refused and not bench.failures
