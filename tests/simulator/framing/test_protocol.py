"""The TCP framing, and order on the wire."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.support.broker import ACCOUNT, APPLICATION, Broker, Peer
from tests.support.frames import length_prefixed, take_length_prefixed
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.messages_pb2 import (
    ProtoOAApplicationAuthReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASubscribeSpotsRes,
)
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.settings import Rules, SimulatorSettings

LOGIN = (
    APPLICATION,
    ACCOUNT,
    ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1, 2]),
)


def test_events_can_come_before_their_answer(make_broker: Callable[..., Broker]) -> None:
    """Only by a rule; clients must not depend on the order."""
    peer = make_broker(events_before_answer=True).connect()
    peer.log_in()
    peer.take()
    peer.send(LOGIN[2], "m")
    assert [type(m) for m in peer.messages()] == [ProtoOASpotEvent, ProtoOASpotEvent, ProtoOASubscribeSpotsRes]


def test_several_frames_in_one_write(broker: Broker, trader: Peer) -> None:
    """An answer and its events are written apart; all events of one turn of the market in one write."""
    trader.subscribe(*range(1, 65))
    writes: list[bytes] = []
    trader.wire.write = writes.append  # type: ignore[method-assign]
    trader.wire.writeSequence = lambda pieces: writes.append(b"".join(pieces))  # type: ignore[method-assign]
    broker.run(5)
    assert any(len(data) > 2 * (4 + int.from_bytes(data[:4], "big")) for data in writes)


def test_frames_cut_into_pieces(make_broker: Callable[..., Broker]) -> None:
    """By a rule every frame is sent in pieces, complete and in order."""
    broker = make_broker(slice_bytes=3)
    peer = broker.connect()
    for message in LOGIN:
        peer.send(message, "m")
    assert not peer.wire.value()
    broker.run(0.004, 0.001)
    assert 0 < len(peer.wire.value()) < 20
    broker.run(1)
    assert len([e for e in peer.take() if e.clientMsgId]) == 3


def test_a_close_waits_for_the_pieces(make_broker: Callable[..., Broker]) -> None:
    """The error before a close is sent completely."""
    broker = make_broker(slice_bytes=1)
    peer = broker.connect()
    peer.send(ProtoOAApplicationAuthReq(clientId="sim", clientSecret="wrong"), "m")
    assert not peer.wire.ended()
    broker.run(1, 0.01)
    assert peer.wire.ended() == "closed"
    assert peer.messages()[0].errorCode == "CH_CLIENT_AUTH_FAILURE"


PAYLOADS = st.binary(max_size=40) | st.builds(
    lambda number, payload, msg_id: ProtoMessage(
        payloadType=number, payload=payload, clientMsgId=msg_id
    ).SerializeToString(),
    st.integers(0, 60) | st.integers(2100, 2200) | st.integers(0, 2**32 - 1),
    st.binary(max_size=40),
    st.text(max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PAYLOADS, max_size=8), st.booleans(), st.data())
def test_any_bytes_are_answered_or_refused(garbage: list[bytes], logged_in: bool, data: st.DataObject) -> None:
    """Whatever frames a client sends, cut anywhere: no exception, and only whole frames in answer."""
    clock = Clock()
    broker = SimulatedBroker(
        SimulatorSettings(rules=Rules(unknown_field_every=0), symbols=("EURUSD",)), lambda: 1.7e9 + clock.seconds()
    )
    protocol = SimulatorFactory(broker, clock).buildProtocol(None)
    wire = StringTransport()
    protocol.makeConnection(wire)
    frames_in = [frames.encode(m, "m") for m in (LOGIN[:2] if logged_in else ())] + garbage
    stream = b"".join(length_prefixed(frame) for frame in frames_in)
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        protocol.dataReceived(stream[:size])
        stream = stream[size:]
    clock.advance(1)
    answers = bytearray(wire.value())
    for frame in take_length_prefixed(answers):
        assert frames.open_payload(frames.open_envelope(frame)) is not None
    assert not answers
    protocol.connectionLost()
    broker.stop()
    assert not clock.getDelayedCalls()
