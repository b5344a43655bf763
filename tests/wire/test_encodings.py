"""The encodings against each other: both v1 encodings say the same, and every message is in the vectors."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import payload_of as payload
from tests.support.view import View
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.wire import messages, parts, protobuf, requests
from tickrelay.wire.encodings import Encoding, make_encodings
from tickrelay.wire.messages import AnyMessage, Message
from tickrelay.wire.tickrelay_pb2 import DESCRIPTOR, ClientMessage

VECTORS = Path(__file__).parent.parent / "vectors"
MESSAGES = json.loads((VECTORS / "messages.json").read_text())
REQUESTS = json.loads((VECTORS / "requests.json").read_text())
TICKS = json.loads((VECTORS / "ticks.json").read_text())
ENCODINGS = make_encodings("k3f9")


def test_an_encoding_is_found_by_its_subprotocol() -> None:
    """Clients name the encoding in the handshake; basic has no name."""
    assert ENCODINGS.by_subprotocol("tickrelay.v1.json") is ENCODINGS.v1_json
    assert ENCODINGS.by_subprotocol("tickrelay.v1.protobuf") is ENCODINGS.v1_protobuf
    assert ENCODINGS.by_subprotocol("tickrelay.v2.json") is None
    assert [encoding.version for encoding in ENCODINGS] == [0, 1, 1]
    assert [encoding.binary for encoding in ENCODINGS] == [False, False, True]


# Messages.


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda v: v["name"])
def test_a_message_is_as_in_the_vectors_in_both_encodings(vector: dict[str, str]) -> None:
    """Byte for byte in JSON and in Protobuf, and the same when read."""
    message = msgspec.json.decode(vector["json"], type=AnyMessage)
    assert payload(ENCODINGS.v1_json.message(message)).decode() == vector["json"]
    assert payload(ENCODINGS.v1_protobuf.message(message)).hex() == vector["protobuf"]
    assert View().read(bytes.fromhex(vector["protobuf"]), True) == json.loads(vector["json"])
    assert View().read(vector["json"].encode(), False) == json.loads(vector["json"])


def test_every_message_and_every_field_is_in_the_vectors() -> None:
    """A field that is added without an example fails here."""
    seen: dict[str, set[str]] = {}

    def collect(struct: msgspec.Struct) -> None:
        fields = seen.setdefault(type(struct).__name__, set())
        for field in struct.__struct_fields__:
            value = getattr(struct, field)
            if value is msgspec.UNSET:
                continue
            fields.add(field)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, msgspec.Struct):
                    collect(item)

    for vector in MESSAGES:
        collect(msgspec.json.decode(vector["json"], type=AnyMessage))
    for vector in TICKS:
        for way in ("tick", "newest", "snapshot"):
            collect(msgspec.json.decode(vector[f"v1.json {way}"], type=messages.TickMessage))
    bases = (msgspec.Struct, messages.Message, parts.Part)
    structs = [s for s in vars(messages).values() if isinstance(s, type) and issubclass(s, msgspec.Struct)]
    expected = {s.__name__: set(s.__struct_fields__) for s in structs if s not in bases}
    assert seen == expected


def test_the_protobuf_schema_has_the_fields_of_the_types() -> None:
    """Names and presence agree, so that copying field by field loses nothing."""
    names = {"StatusMessage": "Status"}
    structs = [*get_args(AnyMessage), *get_args(requests.Request), requests.Position]
    structs += [parts.Feed, parts.Detail, parts.Limits, parts.Result, parts.ReconnectMs]
    structs += [parts.SymbolInfo, parts.Queue]
    for struct in structs:
        schema = DESCRIPTOR.message_types_by_name[names.get(struct.__name__, struct.__name__)]
        theirs = {f.name: f for f in schema.fields}
        ours = {f.name: f for f in msgspec.structs.fields(struct) if f.name != "id"}
        assert set(theirs) == set(ours), struct
        for name, field in ours.items():
            if not isinstance(theirs[name].default_value, list) and theirs[name].message_type is None:
                # A request's default and an answer's UNSET are both an absent field; a bool that is always said is not.
                optional = not field.required and not (issubclass(struct, Message) and field.default is False)
                assert theirs[name].has_presence == optional, f"{struct.__name__}.{name}"


# Requests.


@pytest.mark.parametrize("vector", REQUESTS, ids=lambda v: v["json"])
def test_a_request_means_the_same_in_both_encodings(vector: dict[str, str]) -> None:
    """The vectors of requests, read from JSON and from Protobuf, are equal values."""
    asked = ENCODINGS.v1_json.parse(vector["json"].encode(), False)
    assert ENCODINGS.v1_protobuf.parse(bytes.fromhex(vector["protobuf"]), True) == asked


BAD = [
    (b"\xff", "BAD_REQUEST", "not a ClientMessage"),
    (b"", "UNKNOWN_TYPE", "Unknown message type"),
    (
        ClientMessage(text_id="x" * 37, ping={}).SerializeToString(),
        "BAD_REQUEST",
        "id: expected string of length <= 36",
    ),
    (
        ClientMessage(configure={"max_rate": float("nan")}).SerializeToString(),
        "BAD_REQUEST",
        "maxRate: expected number >= 0",
    ),
    (ClientMessage(explain={}).SerializeToString(), "BAD_REQUEST", "symbol: expected string of length >= 1"),
    (
        ClientMessage(subscribe={"symbols": ["x"] * 1001}).SerializeToString(),
        "BAD_REQUEST",
        "symbols: expected array of length <= 1000",
    ),
    (b"\x0a\x02\x12\x00" * 3 + b"\x12\x05\x0a\x03\xff\xff\xff", "BAD_REQUEST", "not a ClientMessage"),
    (b"\x0b" * 20_000, "BAD_REQUEST", "not a ClientMessage"),
]


@pytest.mark.parametrize(("data", "code", "message"), BAD, ids=range(len(BAD)))
def test_binary_requests_are_held_against_the_same_schema(data: bytes, code: str, message: str) -> None:
    """What JSON may not hold, Protobuf may not hold either."""
    with pytest.raises(requests.BadRequest) as caught:
        ENCODINGS.v1_protobuf.parse(data, True)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize("encoding", [ENCODINGS.v1_json, ENCODINGS.v1_protobuf], ids=lambda e: e.name)
def test_the_wrong_kind_of_frame_is_refused(encoding: Encoding) -> None:
    """Text for JSON, binary for Protobuf."""
    with pytest.raises(requests.BadRequest, match="expected a"):
        encoding.parse(b"{}", not encoding.binary)


@given(st.sampled_from(list(ENCODINGS)), st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_request_or_a_bad_one(encoding: Encoding, data: bytes, binary: bool) -> None:
    """Nothing but BadRequest comes out of parsing, whatever the encoding."""
    try:
        encoding.parse(data, binary)
    except requests.BadRequest as e:
        assert payload(encoding.message(messages.refusal(e)))


# Ticks.


def tick_of(vector: dict[str, Any]) -> Tick:
    """The tick that a vector is about."""
    return Tick(symbol=Symbol(**vector["symbol"]), **vector["tick"])


@pytest.mark.parametrize("vector", TICKS, ids=lambda v: v["name"])
def test_a_tick_is_as_in_the_vectors_in_every_encoding(vector: dict[str, Any]) -> None:
    """A tick, after others, before others and as a snapshot."""
    encodings = make_encodings("k3f9")
    tick = tick_of(vector)
    for encoding in encodings:
        encoding.tick(tick)  # from now on the symbol is announced
        for way, frame in (
            ("tick", encoding.tick(tick)),
            ("newest", encoding.newest(tick, 3)),
            ("snapshot", encoding.snapshot(tick, 5_400_000)),
        ):
            said = payload(frame)
            key = encoding.name if encoding.version == 0 else f"{encoding.name} {way}"
            assert vector[key] == (said.hex() if encoding.binary else said.decode()), key


TICK = st.builds(
    Tick,
    symbol=st.builds(
        Symbol,
        symbol_id=st.integers(1, 2**35),
        name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
        digits=st.integers(0, 5),
    ),
    bid=st.integers(1, 2**40),
    ask=st.integers(1, 2**40),
    timestamp_ms=st.integers(1_600_000_000_000, 2_000_000_000_000),
    source_ms=st.just(0) | st.integers(1_599_999_000_000, 2_000_000_000_000),
    seq=st.integers(1, 2**40),
)


@given(TICK, st.integers(0, 10**6), st.integers(0, 10**9))
def test_both_v1_encodings_say_the_same_of_any_tick(tick: Tick, conflated: int, age_ms: int) -> None:
    """Prices, times, sequence, conflation and age are read back equal from JSON and from Protobuf."""
    encodings = make_encodings("k3f9")
    view = View()
    view.read(payload(encodings.v1_protobuf.message(status_of("k3f9"))), True)
    for say in (
        lambda e: e.tick(tick),
        lambda e: e.tick(tick),
        lambda e: e.newest(tick, conflated),
        lambda e: e.snapshot(tick, age_ms),
    ):
        text = View().read(payload(say(encodings.v1_json)), False)
        assert view.read(payload(say(encodings.v1_protobuf)), True) == text
        assert list(text)[:7] == ["type", "symbol", "symbolId", "bid", "ask", "spread", "timestamp"]


def status_of(epoch: str) -> messages.StatusMessage:
    """A status that tells the epoch."""
    return messages.StatusMessage(status=messages.Status.CONNECTED, available_symbols=[], epoch=epoch)


@given(
    st.integers(1, 2**31),
    st.integers(1, 10**12),
    st.integers(0, 10**7),
    st.integers(-60_000, 10**7),
    st.integers(1, 2**35),
)
def test_a_binary_tick_has_at_most_48_bytes(symbol_id: int, bid: int, spread: int, delay_ms: int, seq: int) -> None:
    """With its frame header, for any price up to 10,000,000 and a source clock up to hours away."""
    encodings = make_encodings("k3f9")
    symbol = Symbol(symbol_id=symbol_id, name="A symbol with a long name indeed")
    now = 1_901_234_567_890
    tick = Tick(symbol, bid, bid + spread, now, now - delay_ms, seq)
    encodings.v1_protobuf.tick(tick)
    assert len(encodings.v1_protobuf.tick(tick)) <= 48


def test_a_binary_tick_is_named_when_its_symbol_is_new() -> None:
    """Ids and digits hold for one session with cTrader: a symbol's first tick of each says whose it is."""
    encoding = make_encodings("k3f9").v1_protobuf
    view = View()

    def named(symbol: Symbol) -> bool:
        frame = payload(encoding.tick(Tick(symbol, 108567, 108570, 1, 0, 1)))
        assert view.read(frame, True)["symbol"] == symbol.name
        return symbol.name.encode() in frame

    first, again = Symbol(symbol_id=1, name="EURUSD"), Symbol(symbol_id=1, name="EURUSD", description="same id")
    assert [named(first), named(first), named(again), named(again)] == [True, False, True, False]
    moved, other = Symbol(symbol_id=2, name="EURUSD"), Symbol(symbol_id=1, name="GBPUSD")
    assert [named(other), named(moved), named(other), named(moved)] == [True, True, False, False]
    assert named(Symbol(symbol_id=2, name="EURUSD", digits=4))


def test_the_answer_to_subscribe_announces_a_symbol() -> None:
    """After it a binary tick needs no name; an alias does not hide the symbol's own name."""
    view = View()
    result = parts.Result(symbol="eur/usd", status="subscribed", name="EURUSD", symbol_id=1, digits=5, epoch="e2")
    encoding = make_encodings("e2").v1_protobuf
    tick = Tick(Symbol(symbol_id=1, name="EURUSD"), 108567, 108570, 1, 0, 1)
    encoding.tick(tick)
    view.read(payload(encoding.message(messages.SubscribeResponse(results=[result]))), True)
    said = view.read(payload(encoding.tick(tick)), True)
    assert (said["symbol"], said["bid"], said["epoch"]) == ("EURUSD", 1.08567, "e2")


def test_an_unknown_message_is_told_from_a_known_one() -> None:
    """A client of today meets a message of tomorrow: it can pass it over."""
    with pytest.raises(ValueError, match="unknown type"):
        View().read(b"\xf2\x3f\x00", True)


def test_requests_in_protobuf_can_be_written_by_the_same_names() -> None:
    """`protobuf.fill` is the way a client of ours writes requests."""
    envelope = ClientMessage()
    asked = requests.Subscribe(id=7, symbols=["A"], resume={"A": requests.Position(epoch="e", seq=3)})
    protobuf.set_mark(envelope, 7)
    protobuf.fill(asked, envelope.subscribe)
    assert ENCODINGS.v1_protobuf.parse(envelope.SerializeToString(), True) == asked


@pytest.mark.parametrize("way", ["tick", "newest", "snapshot"])
@pytest.mark.parametrize(
    ("bid", "ask", "source_ms"), [(2**64 - 1, 1, 0), (1, 2**64 - 1, 0), (1, 2, -(2**63)), (1, 2, 2**63 - 1)]
)
def test_nonsense_from_upstream_does_not_stop_the_encodings(bid: int, ask: int, source_ms: int, way: str) -> None:
    """A price or a time at the end of 64 bits is said somehow: an exception would keep everybody's ticks back."""
    tick = Tick(Symbol(symbol_id=-(2**63), name="EURUSD"), bid, ask, 1_701_234_567_890, source_ms, 1)
    for encoding in make_encodings("k3f9"):
        for _ in range(2):
            arguments = () if way == "tick" else (1,)
            assert payload(getattr(encoding, way)(tick, *arguments))


@pytest.mark.parametrize("field", ["type", "protocol", "id", "maxRate", "symbols", "snapshot", "resume"])
def test_a_number_of_thousands_of_digits_is_refused_by_its_field(field: str) -> None:
    """JSON readers have limits for numbers: the answer says where it stands, not that there is no object."""
    fields = {"type": '"subscribe"', "symbols": '["EURUSD"]', field: "1" * 5000}
    with pytest.raises(requests.BadRequest) as caught:
        ENCODINGS.v1_json.parse(
            b"{%s}" % ",".join(f'"{name}": {value}' for name, value in fields.items()).encode(), False
        )
    assert caught.value.field == field and caught.value.message.startswith(f"{field}: expected ")
