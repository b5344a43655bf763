"""Strict reading of v1 requests in JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.errors import ErrorCode
from tickrelay.wire import requests
from tickrelay.wire.json_requests import parse_v1
from tickrelay.wire.requests import (
    BadRequest,
    Configure,
    Connect,
    Explain,
    GetSymbols,
    Id,
    Position,
    Request,
    Subscribe,
)

GOOD = [
    (
        '{"type":"connect","protocol":1,"id":"c1","token":"t","features":["heartbeat","gap"]}',
        Connect(id="c1", protocol=1, token="t", features=["heartbeat", "gap"]),
    ),
    (
        '{"type":"subscribe","id":7,"symbols":["EURUSD","GBP*"],"snapshot":true,"maxRate":5,'
        '"resume":{"EURUSD":{"epoch":"k3f9","seq":812}}}',
        Subscribe(
            id=7,
            symbols=["EURUSD", "GBP*"],
            snapshot=True,
            max_rate=5,
            resume={"EURUSD": Position(epoch="k3f9", seq=812)},
        ),
    ),
    ('{"type":"configure","id":9,"maxRate":2,"paused":false}', Configure(id=9, max_rate=2, paused=False)),
    ('{"type":"configure","maxRate":0}', Configure(max_rate=0)),
    ('{"type":"getSymbols","id":13,"new":[{}]}', GetSymbols(id=13)),
    ('{"type":"explain","id":15,"symbol":"EURUSD"}', Explain(id=15, symbol="EURUSD")),
]


@pytest.mark.parametrize(("text", "request_"), GOOD, ids=lambda v: v if isinstance(v, str) else "")
def test_requests_become_typed_values(text: str, request_: Request) -> None:
    """What the schema allows is read; fields that it does not know are ignored."""
    assert parse_v1(text.encode()) == request_


BAD = [
    ("", "BAD_JSON", "not JSON", None),
    ("{", "BAD_JSON", "not JSON", None),
    ('{"type":"ping"}x', "BAD_JSON", "not JSON", None),
    ('{"type":"ping","id":NaN}', "BAD_JSON", "not JSON", None),
    ("[]", "BAD_REQUEST", "expected an object", None),
    ("[" * 60_000, "BAD_REQUEST", "expected an object", None),
    ('{"type":"ping","x":' + "[" * 60_000, "BAD_REQUEST", "nested too deeply", None),
    ('{"id":1}', "BAD_REQUEST", "type: expected string", 1),
    ('{"type":1,"id":"a"}', "BAD_REQUEST", "type: expected string", "a"),
    ('{"type":"fly","id":8}', "UNKNOWN_TYPE", "Unknown message type: fly", 8),
    ('{"type":"subscribe","id":8,"symbols":"EURUSD"}', "BAD_REQUEST", "symbols: expected array of strings", 8),
    ('{"type":"subscribe","id":8,"symbols":[1]}', "BAD_REQUEST", "symbols: expected array of strings", 8),
    ('{"type":"subscribe","id":8}', "BAD_REQUEST", "symbols: missing", 8),
    ('{"type":"explain","id":8,"symbol":""}', "BAD_REQUEST", "symbol: expected string of length >= 1", 8),
    ('{"type":"explain","symbol":"%s"}' % ("x" * 101), "BAD_REQUEST", "symbol: expected string of length <= 100", None),
    (
        '{"type":"subscribe","symbols":[' + '"x",' * 1000 + '"x"]}',
        "BAD_REQUEST",
        "symbols: expected array of length <= 1000",
        None,
    ),
    ('{"type":"ping","id":"%s"}' % ("x" * 37), "BAD_REQUEST", "id: expected string of length <= 36", None),
    ('{"type":"ping","id":9007199254740992}', "BAD_REQUEST", "id: expected integer <= 9007199254740991", None),
    ('{"type":"ping","id":[]}', "BAD_REQUEST", "id: expected string of at most 36 characters, or integer", None),
    ('{"type":"ping","id":1.5}', "BAD_REQUEST", "id: expected string of at most 36 characters, or integer", None),
    ('{"type":"configure","maxRate":-1}', "BAD_REQUEST", "maxRate: expected number >= 0", None),
    ('{"type":"configure","maxRate":null}', "BAD_REQUEST", "maxRate: expected number, at least 0", None),
    ('{"type":"configure","paused":1}', "BAD_REQUEST", "paused: expected boolean", None),
    (
        '{"type":"subscribe","symbols":[],"resume":{"A":{"epoch":"k"}}}',
        "BAD_REQUEST",
        "resume: expected object of {epoch, seq} by symbol",
        None,
    ),
]


@pytest.mark.parametrize(("text", "code", "message", "mark"), BAD, ids=[b[0][:40] for b in BAD])
def test_what_the_schema_forbids_has_its_code(text: str, code: str, message: str, mark: Id | None) -> None:
    """Wrong type, too long, too deep, too many: the code, the field, and the request's id where it could be read."""
    with pytest.raises(BadRequest) as caught:
        parse_v1(text.encode())
    bad = caught.value
    assert (bad.code, bad.message) == (ErrorCode(code), message)
    assert bad.id == (requests.UNSET if mark is None else mark)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = ["id", "symbols", "symbol", "protocol", "token", "features", "snapshot", "maxRate", "resume", "paused", "x"]


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from([requests.type_of(cls) for cls in requests.ALL]) | JSON},
        optional=dict.fromkeys(FIELDS, JSON),
    )
)
def test_any_object_is_a_request_or_a_bad_one(request_: dict[str, object]) -> None:
    """Nothing but BadRequest comes out of strict parsing, and what it says is short."""
    try:
        parse_v1(json.dumps(request_).encode())
    except BadRequest as e:
        assert len(e.message) < 200
