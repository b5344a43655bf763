"""One connection: requests get their answers, events their listeners, and only listed messages are sent or accepted."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from tests.support.frames import length_prefixed, take_length_prefixed
from tests.support.link import RecordingOwner
from tests.support.relay import TestClock
from tickrelay.openapi import registry
from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.openapi.frames import encode, open_envelope, open_payload
from tickrelay.openapi.messages_pb2 import (
    ProtoOAErrorRes,
    ProtoOAExecutionEvent,
    ProtoOASpotEvent,
    ProtoOASymbolChangedEvent,
    ProtoOASymbolsListReq,
    ProtoOASymbolsListRes,
    ProtoOAVersionReq,
    ProtoOAVersionRes,
)
from tickrelay.openapi.registry import UnknownPayloadType
from tickrelay.upstream.allow_list import VIEW_ONLY
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import LinkLost, NotAllowed, OpenApiError, RequestTimeout
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol


class Bench:
    """A link on a string transport."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.owner = RecordingOwner()
        self.counters = Counters()
        self.spots: list[tuple[int, ...]] = []
        self.recorded: list[bytes] = []
        self.link = OpenApiProtocol(
            TestClock(clock),
            self.owner,
            lambda *spot: self.spots.append(spot),
            self.counters,
            LinkSettings(account_id=1),
            self.recorded.append,
        )
        self.link.deliver_spots()
        self.transport = StringTransport()
        self.link.makeConnection(self.transport)

    def sent(self) -> list[tuple[Any, str]]:
        """Messages that left since the last call, with their ids."""
        data = bytearray(self.transport.value())
        self.transport.clear()
        envelopes = [open_envelope(frame) for frame in take_length_prefixed(data)]
        assert not data, "a cut frame"
        return [(open_payload(envelope), envelope.clientMsgId) for envelope in envelopes]

    def receive(self, message: Message, msg_id: str = "") -> None:
        """A message arrives."""
        data = encode(message, msg_id)
        self.link.dataReceived(length_prefixed(data))


@pytest.fixture
def bench(clock: Clock) -> Bench:
    """A link that has just connected."""
    return Bench(clock)


def results(deferred: Deferred[Any]) -> list[Any]:
    """A list that gets the result, or the exception."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda f: found.append(f.value))
    return found


def test_nothing_is_written_before_it_is_asked_for(bench: Bench) -> None:
    """Connecting writes nothing; the end of the handshake is reported."""
    assert bench.transport.value() == b"" and not bench.owner.told
    bench.link.handshakeCompleted()
    assert bench.owner.told == {"secured": 1} and bench.transport.value() == b""


def test_answers_find_their_requests_in_any_order(bench: Bench) -> None:
    """By message id, also when events come between."""
    first = results(bench.link.request(ProtoOAVersionReq(), ProtoOAVersionRes))
    second = results(bench.link.request(ProtoOAVersionReq(), ProtoOAVersionRes))
    (_, id1), (_, id2) = bench.sent()
    assert id1 != id2
    bench.receive(ProtoOAVersionRes(version="2"), id2)
    bench.receive(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=1))
    bench.receive(ProtoOAVersionRes(version="1"), id1)
    assert first[0].version == "1" and second[0].version == "2"
    assert not bench.clock.getDelayedCalls()


@pytest.mark.parametrize("name", ["ProtoOAVersionReq", "PROTO_OA_VERSION_REQ"])
def test_requests_by_either_name(bench: Bench, name: str) -> None:
    """Fields by keyword."""
    found = results(bench.link.request_named(name))
    ((message, msg_id),) = bench.sent()
    assert isinstance(message, ProtoOAVersionReq)
    bench.receive(ProtoOAVersionRes(version="90"), msg_id)
    assert found[0].version == "90"
    results(bench.link.request_named("ProtoOASymbolsListReq", ctidTraderAccountId=7))
    assert bench.sent()[0][0].ctidTraderAccountId == 7


def test_an_unknown_name_raises(bench: Bench) -> None:
    """For requests and for events, with the name in the error."""
    with pytest.raises(UnknownPayloadType, match="ProtoOANoSuchReq"):
        bench.link.request_named("ProtoOANoSuchReq")
    with pytest.raises(UnknownPayloadType, match="PROTO_OA_NO_SUCH_EVENT"):
        bench.link.listen("PROTO_OA_NO_SUCH_EVENT", print)


def test_the_wrong_class_of_answer_is_the_callers_mistake(bench: Bench) -> None:
    """Raised when the request is made, not when it is answered."""
    with pytest.raises(TypeError, match="ProtoOAVersionReq is not answered by ProtoOASymbolsListRes"):
        bench.link.request(ProtoOAVersionReq(), ProtoOASymbolsListRes)


@pytest.mark.parametrize("error", [ProtoOAErrorRes, ProtoErrorRes])
def test_errors_fail_the_request_they_answer(bench: Bench, error: type[ProtoOAErrorRes | ProtoErrorRes]) -> None:
    """Either error message, with its code and description."""
    found = results(bench.link.request(ProtoOAVersionReq()))
    bench.receive(error(errorCode="INVALID_REQUEST", description="because"), bench.sent()[0][1])
    assert isinstance(found[0], OpenApiError)
    assert str(found[0]) == "INVALID_REQUEST: because (in answer to ProtoOAVersionReq)"


def test_an_answer_of_another_type(bench: Bench) -> None:
    """Fails the request and nothing else."""
    found = results(bench.link.request(ProtoOAVersionReq()))
    bench.receive(ProtoOASymbolsListRes(ctidTraderAccountId=1), bench.sent()[0][1])
    assert found[0].code == "UNEXPECTED_ANSWER"


def test_the_deadline_runs_from_sending(bench: Bench) -> None:
    """The time in the queue does not count; a late answer is counted and ignored."""
    found = [results(bench.link.request(ProtoOAVersionReq())) for _ in range(300)]
    left: list[str] = []
    for _ in range(1200):
        bench.clock.advance(0.01)
        for _, msg_id in bench.sent():
            left.append(msg_id)
            if len(left) > 1:
                bench.clock.advance(0.001)
                bench.receive(ProtoOAVersionRes(version="x"), msg_id)
    assert isinstance(found[0][0], RequestTimeout)
    assert "ProtoOAVersionReq was not answered within 10 s" in str(found[0][0])
    assert all(not isinstance(one[0], Exception) for one in found[1:])
    bench.receive(ProtoOAVersionRes(version="late"), left[0])
    assert bench.counters.late_answers == 1 and bench.counters.request_timeouts == 1
    assert sum(bench.counters.request_s.counts) == 299, "the time to an answer is measured of those that came in time"
    assert 0.298 < bench.counters.request_s.total < 0.6


def test_losing_the_connection_fails_what_is_pending(bench: Bench) -> None:
    """Sent or still waiting: LinkLost; later requests as well; no timer stays."""
    found = [results(bench.link.request(ProtoOAVersionReq())) for _ in range(20)]
    bench.link.connectionLost(Failure(ConnectionLost()))
    assert all(isinstance(one[0], LinkLost) for one in found)
    assert isinstance(results(bench.link.request(ProtoOAVersionReq()))[0], LinkLost)
    assert not bench.clock.getDelayedCalls() and bench.owner.told == {"lost": 1}


def test_a_cancelled_request_is_forgotten(bench: Bench) -> None:
    """Its answer is counted as late."""
    deferred = bench.link.request(ProtoOAVersionReq())
    found = results(deferred)
    deferred.cancel()
    assert isinstance(found[0], CancelledError)
    bench.receive(ProtoOAVersionRes(version="x"), bench.sent()[0][1])
    assert bench.counters.late_answers == 1 and not bench.clock.getDelayedCalls()


@pytest.mark.parametrize("event", ["ProtoOASymbolChangedEvent", "PROTO_OA_SYMBOL_CHANGED_EVENT", 2120])
def test_events_by_either_name(bench: Bench, event: str | int) -> None:
    """Two listeners both get the event, until they are removed."""
    heard: list[Any] = []
    stop = bench.link.listen(event, heard.append)
    bench.link.listen(ProtoOASymbolChangedEvent, heard.append)
    bench.receive(ProtoOASymbolChangedEvent(ctidTraderAccountId=1, symbolId=[5]))
    assert len(heard) == 2 and heard[0].symbolId == [5]
    stop()
    stop()
    bench.receive(ProtoOASymbolChangedEvent(ctidTraderAccountId=1, symbolId=[6]))
    assert len(heard) == 3


@pytest.mark.parametrize("event", ["ProtoOASpotEvent", "PROTO_OA_SPOT_EVENT"])
def test_spots_can_be_listened_to_by_name_as_well(bench: Bench, event: str) -> None:
    """In addition to the direct call for each spot."""
    heard: list[Any] = []
    bench.link.listen(event, heard.append)
    bench.receive(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=3, ask=9))
    assert heard[0].ask == 9 and bench.spots == [(3, 0, 9, 0)]


def test_an_event_with_somebody_elses_message_id(bench: Bench) -> None:
    """With an id of no pending request it is an event like any other."""
    heard: list[Any] = []
    bench.link.listen("ProtoOAExecutionEvent", heard.append)
    bench.receive(ProtoOAExecutionEvent(ctidTraderAccountId=1, executionType="ORDER_ACCEPTED"), "theirs")
    assert len(heard) == 1


def test_a_listener_that_fails_harms_nobody(bench: Bench, expected_failures: list[LogEvent]) -> None:
    """Its error is logged, and the other listeners are called."""
    heard: list[Any] = []

    def fail(event: Message) -> None:
        raise ZeroDivisionError

    bench.link.listen(ProtoOASymbolChangedEvent, fail)
    bench.link.listen(ProtoOASymbolChangedEvent, heard.append)
    bench.receive(ProtoOASymbolChangedEvent(ctidTraderAccountId=1))
    assert heard and len(expected_failures) == 1
    expected_failures.clear()


def test_no_order_can_leave(bench: Bench) -> None:
    """Messages that are not on the list of reading requests are refused by every method; nothing is written."""
    for row in registry.all_types():
        if row.number in VIEW_ONLY:
            continue
        with pytest.raises(NotAllowed, match=row.name):
            bench.link.request(row.message())
        with pytest.raises(NotAllowed):
            bench.link.request_named(row.enum_name)
        with pytest.raises(NotAllowed):
            bench.link._transmit(row.message(), "")
    assert bench.transport.value() == b""
    trading = ("Order", "Position", "SLTP", "Logout")
    allowed = [registry.lookup(number).name for number in VIEW_ONLY]
    assert not [name for name in allowed if any(word in name for word in trading[:3])]


def test_every_frame_is_recorded_before_it_is_read(bench: Bench) -> None:
    """The raw bytes, also of what cannot be read."""
    bench.receive(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=1))
    bench.link.dataReceived(b"\x00\x00\x00\x01\xff")
    assert bench.recorded == [encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=1)), b"\xff"]
    assert bench.owner.told == {"garbled": 1}


def test_frames_behind_garbage_are_not_read(bench: Bench) -> None:
    """In the same read."""
    spot = encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=1))
    bench.link.dataReceived(b"\x00\x00\x00\x01\xff" + length_prefixed(spot))
    assert bench.spots == []


def test_symbols_list_larger_than_twisteds_default(bench: Bench) -> None:
    """A list of more than 99,999 bytes."""
    found = results(bench.link.request(ProtoOASymbolsListReq(ctidTraderAccountId=1), ProtoOASymbolsListRes))
    answer = ProtoOASymbolsListRes(ctidTraderAccountId=1)
    for number in range(5000):
        answer.symbol.add(symbolId=number, symbolName=f"SYMBOL{number}", description="x" * 40)
    bench.receive(answer, bench.sent()[0][1])
    assert len(found[0].symbol) == 5000


def test_time_of_the_last_frame_and_spot(bench: Bench, clock: Clock) -> None:
    """On the monotonic clock."""
    clock.advance(5)
    bench.receive(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=4, bid=1))
    clock.advance(2)
    bench.receive(ProtoOASymbolChangedEvent(ctidTraderAccountId=1))
    assert bench.link.last_frame_s == 7 and bench.link.spot_times == {4: 5.0}
    assert (bench.counters.last_frame_s, bench.counters.frames) == (7.0, 2)


def test_types_of_answers(bench: Bench) -> None:
    """The answer's class is known to the type checker: this line type-checks without a cast."""

    def version(answer: ProtoOAVersionRes) -> str:
        return answer.version

    found: Callable[[], list[Any]] = lambda: results(  # noqa: E731
        bench.link.request(ProtoOAVersionReq(), ProtoOAVersionRes).addCallback(version)
    )
    got = found()
    bench.receive(ProtoOAVersionRes(version="90"), bench.sent()[0][1])
    assert got == ["90"]
