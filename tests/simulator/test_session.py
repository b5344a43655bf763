"""A session: heartbeats, timeouts, and which requests are accepted when."""

from collections.abc import Callable

import pytest

from tests.support.broker import ACCOUNT, APPLICATION, SYMBOLS, Broker, Peer
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAApplicationAuthReq,
    ProtoOAApplicationAuthRes,
    ProtoOAErrorRes,
    ProtoOAGetDynamicLeverageByIDReq,
    ProtoOAVersionReq,
    ProtoOAVersionRes,
)


def test_answers_carry_the_request_id(peer: Peer) -> None:
    """clientMsgId is echoed on the answer and on the error; a request without one is answered without one."""
    peer.send(APPLICATION, "first")
    peer.send(APPLICATION, "second")
    peer.send(ProtoOAVersionReq())
    assert [(e.payloadType, e.clientMsgId) for e in peer.take()] == [(2101, "first"), (2142, "second"), (2105, "")]


def test_the_inner_payload_type_is_not_on_the_wire(peer: Peer) -> None:
    """The envelope routes; the message inside leaves its payloadType off."""
    peer.send(APPLICATION)
    (envelope,) = peer.take()
    assert envelope.payload == b""


def test_version_before_login(peer: Peer) -> None:
    """The version is answered without any login."""
    assert isinstance(peer.ask(ProtoOAVersionReq()), ProtoOAVersionRes)


def test_nothing_else_before_application_auth(peer: Peer) -> None:
    """Requests before application auth are refused, the connection stands."""
    answer = peer.ask(SYMBOLS)
    assert answer.errorCode == "CH_CLIENT_NOT_AUTHENTICATED"
    assert not peer.wire.ended()
    assert isinstance(peer.ask(APPLICATION), ProtoOAApplicationAuthRes)


def test_account_requests_need_account_auth(peer: Peer) -> None:
    """The error is INVALID_REQUEST with the text by which clients recognize it."""
    peer.ask(APPLICATION)
    answer = peer.ask(SYMBOLS)
    assert (answer.errorCode, answer.description) == ("INVALID_REQUEST", "Trading account is not authorized")
    assert answer.ctidTraderAccountId == 1001


def test_bad_credentials_are_refused_and_the_connection_closed(peer: Peer) -> None:
    """First the error, then an orderly close."""
    peer.send(ProtoOAApplicationAuthReq(clientId="sim", clientSecret="wrong"), "m")
    (error,) = peer.messages(ProtoOAErrorRes)
    assert error.errorCode == "CH_CLIENT_AUTH_FAILURE"
    assert not error.HasField("ctidTraderAccountId")
    assert peer.wire.ended() == "closed"


def test_logging_in_twice_is_refused(trader: Peer) -> None:
    """ALREADY_LOGGED_IN, for application and account alike; the session goes on."""
    assert trader.ask(APPLICATION).errorCode == "ALREADY_LOGGED_IN"
    again = trader.ask(ACCOUNT)
    assert again.errorCode == "ALREADY_LOGGED_IN"
    assert again.description == "Trading account is already authorized in this channel"


@pytest.mark.parametrize(
    ("account_id", "token", "code"),
    [
        (1001, "nonsense", "CH_ACCESS_TOKEN_INVALID"),
        (4711, "sim-token", "CH_CTID_TRADER_ACCOUNT_NOT_FOUND"),
        (2001, "sim-token", "CANT_ROUTE_REQUEST"),
    ],
)
def test_account_auth_refusals(peer: Peer, account_id: int, token: str, code: str) -> None:
    """An invalid token, another user's account, and a live account on the demo host have different errors."""
    peer.ask(APPLICATION)
    answer = peer.ask(ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken=token))
    assert answer.errorCode == code


def test_unsupported_message(trader: Peer) -> None:
    """A request of the schema that the simulator does not implement."""
    request = ProtoOAGetDynamicLeverageByIDReq(ctidTraderAccountId=1001, leverageId=1)
    assert trader.ask(request).errorCode == "UNSUPPORTED_MESSAGE"


def test_unknown_payload_type(trader: Peer) -> None:
    """A payload type that the schema does not have is refused, not ignored."""
    frame = ProtoMessage(payloadType=2190, clientMsgId="x").SerializeToString()
    trader.take()
    trader.protocol.stringReceived(frame)
    (error,) = trader.messages(ProtoOAErrorRes)
    assert error.errorCode == "UNSUPPORTED_MESSAGE"


@pytest.mark.parametrize(
    "frame", [b"\xff\xff\xff", b"", ProtoMessage(payloadType=2102, payload=b"\xff").SerializeToString()]
)
def test_garbage_is_refused_and_the_connection_closed(trader: Peer, frame: bytes) -> None:
    """Bytes that are no message end the connection after an error."""
    trader.take()
    trader.protocol.stringReceived(frame)
    (error,) = trader.messages(ProtoOAErrorRes)
    assert error.errorCode == "INVALID_REQUEST"
    assert trader.wire.ended() == "closed"


def test_missing_required_fields_are_named(trader: Peer) -> None:
    """Python's protobuf does not check required fields when it parses; the server does."""
    trader.take()
    trader.protocol.stringReceived(ProtoMessage(payloadType=2127, clientMsgId="m").SerializeToString())
    (error,) = trader.messages(ProtoOAErrorRes)
    assert error.errorCode == "INVALID_REQUEST"
    assert "ctidTraderAccountId" in error.description


def test_a_silent_client_is_closed_after_30_seconds(broker: Broker, trader: Peer) -> None:
    """With an orderly close, and no error before it."""
    broker.run(29.9)
    assert not trader.wire.ended()
    broker.run(0.2)
    assert trader.wire.ended() == "closed"
    assert all(isinstance(message, ProtoHeartbeatEvent) for message in trader.messages())


def test_a_short_silence_is_as_long_as_its_rule(make_broker: Callable[..., Broker]) -> None:
    """The silence is measured from the last message, not from the last check."""
    broker = make_broker(idle_s=0.5)
    peer = broker.connect()
    broker.run(0.3)
    peer.heartbeat()
    broker.run(0.45)
    assert not peer.wire.ended()
    broker.run(0.1)
    assert peer.wire.ended() == "closed"


def test_heartbeats_keep_the_connection(broker: Broker, trader: Peer) -> None:
    """Any message of the client restarts the timeout; the server never answers a heartbeat."""
    trader.take()
    for _ in range(12):
        trader.heartbeat()
        assert trader.take() == []
        broker.run(2, 1)
    assert not trader.wire.ended()


def test_a_connection_without_login_is_closed_heartbeats_or_not(broker: Broker, peer: Peer) -> None:
    """Heartbeats do not keep a connection that has not logged in."""
    for _ in range(3):
        peer.heartbeat()
        broker.run(9.9)
    assert not peer.wire.ended()
    peer.heartbeat()
    broker.run(0.5)
    assert peer.wire.ended() == "closed"


def test_the_server_sends_heartbeats_of_its_own(broker: Broker, trader: Peer) -> None:
    """One every 30 seconds."""
    trader.take()
    for _ in range(9):
        trader.heartbeat()
        broker.run(10, 1)
    assert len(trader.messages(ProtoHeartbeatEvent)) == 3


def test_an_overlong_frame_is_refused_and_the_connection_closed(trader: Peer) -> None:
    """Not a byte of it is buffered."""
    trader.take()
    trader.protocol.dataReceived((frames.MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
    (error,) = trader.messages(ProtoOAErrorRes)
    assert error.errorCode == "FRAME_TOO_LONG"
    assert trader.wire.ended() == "closed"


def test_an_overlong_frame_can_also_just_end_the_connection(make_broker: Callable[..., Broker]) -> None:
    """Whether the real server sends the error is not known, so it is a rule."""
    peer = make_broker(frame_too_long_error=False).connect()
    peer.protocol.dataReceived(b"\xff\xff\xff\xff")
    assert (peer.messages(), peer.wire.ended()) == ([], "reset")


def test_too_many_connections(make_broker: Callable[..., Broker]) -> None:
    """Above the limit: an error, then the close; the other connections stay."""
    broker = make_broker(max_connections=2)
    first, _ = broker.connect(), broker.connect()
    third = broker.connect()
    (error,) = third.messages(ProtoOAErrorRes)
    assert error.errorCode == "CONNECTIONS_LIMIT_EXCEEDED"
    assert third.wire.ended() == "closed"
    assert not first.wire.ended()


def test_a_client_that_does_not_read_gets_no_ticks_and_is_dropped(broker: Broker, trader: Peer) -> None:
    """Ticks for it are not buffered; after ten seconds it is reset."""
    trader.subscribe(1, 2, 41, 59)
    trader.protocol.pauseProducing()
    trader.take()
    broker.run(5)
    assert trader.take() == []
    broker.run(6)
    assert trader.wire.ended() == "reset"


def test_a_client_that_reads_again_gets_whole_quotes(broker: Broker, trader: Peer) -> None:
    """The first event after a pause has both sides, since either may have changed meanwhile."""
    trader.subscribe(1)
    trader.protocol.pauseProducing()
    trader.take()
    broker.run(5)
    trader.protocol.resumeProducing()
    broker.run(5)
    first = trader.spots()[0]
    assert first.HasField("bid") and first.HasField("ask")


def test_unknown_fields_now_and_then(make_broker: Callable[..., Broker]) -> None:
    """As on the real server, an answer may hold a field that no schema has; it parses all the same."""
    peer = make_broker(unknown_field_every=1).connect()
    peer.send(APPLICATION, "m")
    (envelope,) = peer.take()
    assert envelope.payload
    assert isinstance(frames.open_payload(envelope), ProtoOAApplicationAuthRes)


def test_answers_can_take_time(make_broker: Callable[..., Broker]) -> None:
    """With latency an answer is not there at once."""
    broker = make_broker(latency_s=0.1)
    peer = broker.connect()
    peer.send(APPLICATION, "m")
    assert peer.take() == []
    broker.run(0.2)
    assert len(peer.take()) == 1


def test_a_close_that_never_ends_is_ended(broker: Broker, trader: Peer) -> None:
    """A client that does not let the close come to its end is reset after ten seconds."""
    trader.protocol.session.close()
    assert trader.wire.ended() == "closed"
    resets: list[None] = []
    trader.wire.abortConnection = lambda: resets.append(None)  # type: ignore[method-assign]
    broker.run(9.9)
    assert not resets
    broker.run(0.2)
    assert resets


def test_a_pause_is_counted_from_its_own_beginning(broker: Broker, trader: Peer) -> None:
    """The durations of several pauses do not add up."""
    trader.subscribe(1)
    for _ in range(4):
        trader.heartbeat()
        trader.protocol.pauseProducing()
        broker.run(6)
        trader.protocol.resumeProducing()
        broker.run(0.5)
    assert not trader.wire.ended()


def test_what_comes_after_the_end_is_dropped(trader: Peer) -> None:
    """A client that goes on sending fills no buffer."""
    trader.protocol.dataReceived(b"\xff\xff\xff\xff")
    for _ in range(100):
        trader.protocol.dataReceived(b"x" * 10_000)
    assert len(trader.protocol._unprocessed) < 10
