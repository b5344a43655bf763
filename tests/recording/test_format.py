"""The capture format: lines out, records in, and nothing secret in between."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.quotes import ASK, BID, BOTH, Quote
from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetAccountListByAccessTokenRes,
    ProtoOARefreshTokenRes,
    ProtoOASpotEvent,
    ProtoOASymbolsListRes,
)
from tickrelay.recording.format import (
    KEPT,
    CaptureError,
    header_line,
    quote_of,
    read_header,
    read_record,
    record_line,
)


def test_a_spot_event_is_readable_and_exact() -> None:
    """Its fields are in plain beside the frame, which is kept bit by bit."""
    frame = frames.encode(
        ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=41, bid=265_000_000, timestamp=1_763_900_000_123)
    )
    number, line = record_line(frame, 1_763_900_000.5)
    assert number == frames.SPOT
    plain = json.loads(line)
    assert plain.pop("frame")
    assert plain == {
        "t": 1_763_900_000.5,
        "type": "ProtoOASpotEvent",
        "symbolId": 41,
        "bid": 265_000_000,
        "timestamp": 1_763_900_000_123,
    }
    record = read_record(line)
    assert (record.received_s, record.type_name, record.frame) == (1_763_900_000.5, "ProtoOASpotEvent", frame)


@pytest.mark.parametrize(
    "message",
    [
        ProtoOARefreshTokenRes(accessToken="CANARY", tokenType="bearer", expiresIn=1, refreshToken="CANARY"),
        ProtoOAGetAccountListByAccessTokenRes(accessToken="CANARY"),
    ],
)
def test_secrets_are_withheld(message: object) -> None:
    """Of a frame with tokens only its type and time remain."""
    frame = frames.encode(message)  # type: ignore[arg-type]
    _, line = record_line(frame, 1.0)
    record = read_record(line)
    assert record.frame is None
    assert record.type_name == registry.lookup(message).name  # type: ignore[arg-type]


def test_no_kept_type_has_a_token_field() -> None:
    """The list of what is kept stays free of messages that can hold a token or money."""
    for number in KEPT:
        fields = {field.name.lower() for field in registry.lookup(number).message.DESCRIPTOR.fields}
        assert not {name for name in fields if "token" in name or "secret" in name or "balance" in name}


@given(st.binary(max_size=200), st.floats(min_value=0, max_value=4e9))
def test_any_bytes_make_a_line_that_is_read_again(frame: bytes, received_s: float) -> None:
    """What is no frame, or of an unknown type, is withheld; nothing raises."""
    _, line = record_line(frame, received_s)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    record = read_record(line)
    assert record.frame in (None, frame)
    assert record.received_s == pytest.approx(received_s, abs=1e-6)


@given(st.builds(ProtoOASymbolsListRes, ctidTraderAccountId=st.integers(0, 2**40)), st.text(max_size=5))
def test_kept_frames_come_back_as_they_were(message: ProtoOASymbolsListRes, msg_id: str) -> None:
    """Round trip, request id and all."""
    frame = frames.encode(message, msg_id)
    assert read_record(record_line(frame, 5.0)[1]).frame == frame


def test_an_unknown_type_is_named_by_its_number() -> None:
    """Nobody knows what is in it, so it is withheld."""
    _, line = record_line(ProtoMessage(payloadType=2190, payload=b"?").SerializeToString(), 1.0)
    assert (read_record(line).type_name, read_record(line).frame) == ("2190", None)


def test_the_header() -> None:
    """Format, version, and when it began; other versions are refused by name."""
    assert read_header(header_line(12.5)) == 12.5
    with pytest.raises(CaptureError, match="version 2 cannot be read"):
        read_header(header_line(1.0).replace(b'"version":1', b'"version":2'))
    for bad in (b"", b"{}\n", b"\x1f\x8b\x08", b'{"format":"tick'):
        with pytest.raises(CaptureError):
            read_header(bad)


@given(st.binary(max_size=80))
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    """CaptureError, and nothing else."""
    try:
        read_record(line)
    except CaptureError:
        pass


def test_forward_fill() -> None:
    """A side that is absent stays; nothing is known before both were seen."""
    assert quote_of(ProtoOASpotEvent(symbolId=1, bid=5), None) is None
    first = quote_of(ProtoOASpotEvent(symbolId=1, bid=5, ask=7, timestamp=9, sessionClose=4), None)
    assert first == Quote(1, 9, 5, 7, BOTH, 4)
    assert quote_of(ProtoOASpotEvent(symbolId=1, ask=8, timestamp=10), first) == Quote(1, 10, 5, 8, ASK)
    assert quote_of(ProtoOASpotEvent(symbolId=1, bid=6), first) == Quote(1, 0, 6, 7, BID)
