"""JSON over TCP: objects in a stream, or behind their lengths."""

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.broker import Broker, Peer
from tests.support.frames import length_prefixed
from tickrelay.simulator.answers import ANSWERS
from tickrelay.simulator.framing.json_codec import Malformed
from tickrelay.simulator.framing.json_line import JsonProtocol, Objects
from tickrelay.simulator.session import Session

OBJECTS = ['{"a":1}', '{"b":"} \\" {"}', '{"c":{"d":[1,{"e":2}]}}', "{}"]


@given(st.lists(st.sampled_from(OBJECTS), max_size=6), st.data())
def test_any_cut_of_the_stream_gives_the_same_objects(wanted: list[str], data: st.DataObject) -> None:
    """Braces inside strings and blanks between objects do not end an object."""
    text = "".join(one + data.draw(st.sampled_from(["", "\n", "  "])) for one in wanted)
    objects = Objects()
    found = []
    while text:
        size = data.draw(st.integers(1, len(text)))
        found += objects.feed(text[:size])
        text = text[size:]
    assert found == wanted


@pytest.mark.parametrize("text", ["hello", "1", '{"a":1}x'])
def test_what_is_no_object_is_refused(text: str) -> None:
    """At once, not when the buffer is full."""
    with pytest.raises(Malformed):
        Objects().feed(text) or Objects().feed(text + " ")


def test_an_endless_object_is_refused() -> None:
    """Memory stays bounded."""
    objects = Objects()
    with pytest.raises(Malformed, match="too long"):
        for _ in range(200):
            objects.feed('{"a":' + "1" * 10_000)


@pytest.fixture
def client(broker: Broker) -> Peer:
    """A JSON client."""
    peer = broker.connect()
    peer.protocol.connectionLost()
    peer.wire = type(peer.wire)()
    protocol = JsonProtocol(partial(Session, broker.broker, broker.clock, ANSWERS), broker.clock)
    protocol.makeConnection(peer.wire)
    peer.protocol = protocol
    return peer


LOGIN = b'{"payloadType":2100,"clientMsgId":"m","payload":{"clientId":"sim","clientSecret":"sim-secret"}}'


def test_one_object_a_line(client: Peer) -> None:
    """Requests without lengths are answered without lengths."""
    client.protocol.dataReceived(LOGIN)
    assert client.wire.value() == b'{"clientMsgId":"m","payloadType":2101}\n'


def test_behind_lengths(client: Peer) -> None:
    """Requests with length prefixes are answered with length prefixes."""
    client.protocol.dataReceived(length_prefixed(LOGIN))
    data = client.wire.value()
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert json.loads(data[4:])["payloadType"] == 2101


@pytest.mark.parametrize("prefix", [b"", b"\0\0\0\x06"])
def test_malformed_json_is_refused_and_the_connection_closed(client: Peer, prefix: bytes) -> None:
    """As the real server does it."""
    client.protocol.dataReceived(prefix + b"{1:2,}" + b"\n")
    error = json.loads(client.wire.value()[len(prefix) :])
    assert error["payloadType"] == 2142
    assert error["payload"] == {"errorCode": "INVALID_REQUEST", "description": "Malformed JSON message at 1:2"}
    assert client.wire.ended() == "closed"
