"""The basic encoding, to the letter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import payload_of
from tickrelay.model.errors import ErrorCode
from tickrelay.model.status import FeedState, Status
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.wire.basic import Basic
from tickrelay.wire.messages import (
    Error,
    Gap,
    Pong,
    StatusMessage,
    SubscribeResponse,
    Subscriptions,
    UnsubscribeResponse,
    refusal,
)
from tickrelay.wire.parts import Detail, Feed, Limits, Result
from tickrelay.wire.requests import (
    BadRequest,
    Connect,
    GetSubscriptions,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
)

EURUSD = Symbol(symbol_id=1, name="EURUSD", digits=5)


def payload(frame: bytes) -> str:
    """The text in a frame."""
    return payload_of(frame, opcode=1).decode()


def test_a_tick_is_to_the_letter() -> None:
    """Order of fields, shortest decimals and the integer spread."""
    tick = Tick(EURUSD, 108567, 108570, 1701234567890, 1701234567884, 849)
    expected = (
        '{"type":"tick","symbol":"EURUSD","symbolId":1,"bid":1.08567,"ask":1.0857,'
        '"spread":0.00003,"timestamp":1701234567890}'
    )
    basic = Basic()
    assert payload(basic.tick(tick)) == expected
    assert payload(basic.newest(tick, 3)) == expected
    assert payload(basic.snapshot(tick, 5_400_000)) == expected


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    digits=st.integers(0, 5),
    bid=st.integers(-(10**12), 10**12),
    spread=st.integers(-1000, 10**6),
)
def test_any_symbol_and_price_make_valid_json(name: str, digits: int, bid: int, spread: int) -> None:
    """Unicode, quotes and percent signs in a name, negative prices and spreads: one JSON object with these values."""
    symbol = Symbol(symbol_id=7, name=name, digits=digits)
    said = json.loads(payload(Basic().tick(Tick(symbol, bid, bid + spread, 1, 0, 1))), parse_float=str, parse_int=str)
    assert list(said) == ["type", "symbol", "symbolId", "bid", "ask", "spread", "timestamp"]
    assert said["symbol"] == name
    for key in ("bid", "ask", "spread"):
        assert "e" not in said[key].lower()
        assert len(said[key].partition(".")[2]) <= digits


def test_a_symbol_of_a_new_session_replaces_the_old() -> None:
    """Ids and digits can change from session to session; the name stays."""
    basic = Basic()
    basic.tick(Tick(EURUSD, 108567, 108570, 1, 0, 1))
    moved = Symbol(symbol_id=99, name="EURUSD", digits=4)
    assert json.loads(payload(basic.tick(Tick(moved, 108567, 108570, 2, 0, 2)))) == {
        "type": "tick", "symbol": "EURUSD", "symbolId": 99, "bid": 1.0857, "ask": 1.0857, "spread": 0, "timestamp": 2
    }  # fmt: skip


LIMITS = Limits(max_symbols=200, max_rate=50, messages_per_second=20, max_message_bytes=65_536)

MESSAGES = [
    (
        StatusMessage(
            status=Status.CONNECTED,
            available_symbols=["EURUSD", "XAUUSD"],
            id="c1",
            protocol=1,
            epoch="k3f9",
            feed=Feed(state=FeedState.LIVE),
            features=["gap"],
            limits=LIMITS,
            heartbeat_ms=15_000,
        ),
        '{"type":"status","status":"connected","availableSymbols":["EURUSD","XAUUSD"]}',
    ),
    (
        StatusMessage(
            status=Status.ERROR, available_symbols=[], message="mend it", detail=Detail(upstream="CH_ACCESS_TOKEN")
        ),
        '{"type":"status","status":"error","availableSymbols":[],"message":"mend it"}',
    ),
    (
        SubscribeResponse(
            id=7,
            results=[
                Result(symbol="EURUSD", status="subscribed", symbol_id=1, digits=5, epoch="k3f9", seq=3, pending=True),
                Result(symbol="FOO", status="error", code=ErrorCode.UNKNOWN_SYMBOL, message="Unknown symbol"),
            ],
        ),
        '{"type":"subscribeResponse","results":[{"symbol":"EURUSD","status":"subscribed"},'
        '{"symbol":"FOO","status":"error","message":"Unknown symbol"}]}',
    ),
    (SubscribeResponse(results=[]), '{"type":"subscribeResponse","results":[]}'),
    (
        UnsubscribeResponse(results=[Result(symbol="XAUUSD", status="unsubscribed")]),
        '{"type":"unsubscribeResponse","results":[{"symbol":"XAUUSD","status":"unsubscribed"}]}',
    ),
    (
        Subscriptions(symbols=["EURUSD"], timestamp=1701234567890),
        '{"type":"subscriptions","symbols":["EURUSD"],"timestamp":1701234567890}',
    ),
    (Pong(id="p", timestamp=1701234567890), '{"type":"pong","timestamp":1701234567890}'),
    (
        Error(id=3, code=ErrorCode.BAD_REQUEST, message="Invalid message format"),
        '{"type":"error","message":"Invalid message format"}',
    ),
]


@pytest.mark.parametrize(
    ("message", "text"), MESSAGES, ids=lambda v: type(v).__name__ if not isinstance(v, str) else ""
)
def test_messages_have_basics_fields_and_no_others(message: StatusMessage, text: str) -> None:
    """What v1 adds to a message never reaches a basic client."""
    assert payload(Basic().message(message)) == text


def test_a_message_of_v1_alone_is_a_mistake() -> None:
    """Nothing new is pushed in basic: the caller asked for the impossible."""
    with pytest.raises(ValueError, match="Gap"):
        Basic().message(Gap(symbol="A", epoch="e", after_seq=1, from_ms=1, to_ms=2, cause="stale"))


REQUESTS = [
    ('{"type":"connect"}', Connect()),
    ('{"type":"connect","protocol":null,"id":{}}', Connect()),
    ('{"type":"connect","protocol":2,"id":"c1"}', Connect(id="c1", protocol=2)),
    ('{"type":"connect","token":"s3cret"}', Connect(token="s3cret")),
    ('{"type":"connect","token":null}', Connect()),
    ('{"type":"connect","token":7}', Connect(token="")),
    ('{"type":"connect","protocol":1,"id":"c1","features":["gap"]}', Connect(id="c1", protocol=1, features=["gap"])),
    ('{"type":"subscribe","symbols":["EURUSD","XAUUSD"]}', Subscribe(symbols=["EURUSD", "XAUUSD"])),
    ('{"symbols":["a"],"type":"subscribe","snapshot":"yes","maxRate":[],"id":[]}', Subscribe(symbols=["a"])),
    ('{"type":"subscribe","symbols":[]}', Subscribe(symbols=[])),
    ('{"type":"unsubscribe","symbols":["XAUUSD"]}', Unsubscribe(symbols=["XAUUSD"])),
    ('{"type":"ping","timestamp":5}', Ping()),
    ('{"type":"ping","type":"getSubscriptions"}', GetSubscriptions()),
]


@pytest.mark.parametrize(("text", "request_"), REQUESTS, ids=lambda v: v if isinstance(v, str) else "")
def test_requests_are_read_leniently(text: str, request_: Request) -> None:
    """Fields that basic does not know may be anything; a ``connect`` that names a version is read as v1's."""
    assert Basic().parse(text.encode(), False) == request_


@pytest.mark.parametrize(
    "data",
    [
        b"", b"hello", b"{", b"[]", b"null", b"5", b'"connect"', b"{}", b'{"type":5}', b'{"type":null}',
        b'{"type":["ping"]}', b'{"type":"subscribe"}', b'{"type":"subscribe","symbols":"EURUSD"}',
        b'{"type":"subscribe","symbols":{"a":1}}',
        b'{"type":"subscribe","symbols":["a",1]}', b'{"type":"subscribe","symbols":null}',
        b'{"type":"unsubscribe","symbols":[["a"]]}', b'{"type":"ping"}{"type":"ping"}', b'{"type":"ping",}',
        b'{"type":NaN}', b'{"type":"\\ud800"}', b'{"type":"\xff"}', b'{"type":' + b"9" * 50_000 + b"}",
        b"[" * 60_000, b'{"a":' * 10_000, b'{"type":"ping","a":' + b"[" * 60_000, b"\x00", b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_what_is_no_request_has_one_answer(data: bytes) -> None:
    """Whatever is wrong with a frame, a basic client reads the same error."""
    with pytest.raises(BadRequest) as caught:
        Basic().parse(data, False)
    assert payload(Basic().message(refusal(caught.value))) == '{"type":"error","message":"Invalid message format"}'


def test_a_binary_frame_is_no_request() -> None:
    """Basic is text."""
    with pytest.raises(BadRequest, match="Invalid message format"):
        Basic().parse(b'{"type":"ping"}', True)


def test_an_unknown_type_is_named_within_bounds() -> None:
    """The echo of a type stays short, whatever was sent."""
    with pytest.raises(BadRequest) as caught:
        Basic().parse(b'{"type":"getSymbols"}', False)
    said = payload(Basic().message(refusal(caught.value)))
    assert said == '{"type":"error","message":"Unknown message type: getSymbols"}'
    with pytest.raises(BadRequest) as caught:
        Basic().parse(json.dumps({"type": "x" * 60_000}).encode(), False)
    assert caught.value.message == "Unknown message type: " + "x" * 64 + "…"


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), st.booleans())
def test_any_bytes_are_a_request_or_a_bad_one(data: bytes, binary: bool) -> None:
    """Nothing but BadRequest comes out of parsing, and its answer is one error."""
    basic = Basic()
    try:
        basic.parse(data, binary)
    except BadRequest as e:
        assert json.loads(payload(basic.message(refusal(e))))["type"] == "error"
