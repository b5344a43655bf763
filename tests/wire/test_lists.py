"""Long lists in messages: in steps, and from shared items, with the bytes of the message as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tickrelay.model.errors import ErrorCode
from tickrelay.wire.encodings import Encoding, make_encodings
from tickrelay.wire.lists import STEP_ITEMS, pieces_in_steps
from tickrelay.wire.messages import ListMessage, Pong, SubscribeResponse, Symbols, UnsubscribeResponse, list_of
from tickrelay.wire.parts import Detail, Result, SymbolInfo

ENCODINGS = make_encodings("e1")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"results":[]', '[]"', '"symbols":[]']
)
MARKS = st.just(UNSET) | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
RESULTS = st.builds(
    Result,
    symbol=TEXT,
    status=st.sampled_from(["subscribed", "error"]),
    name=st.just(UNSET) | TEXT,
    seq=st.just(UNSET) | st.integers(0, 2**53),
    code=st.just(UNSET) | st.sampled_from(ErrorCode),
    detail=st.just(UNSET) | st.builds(Detail, upstream=TEXT),
    max_rate=st.just(UNSET) | st.floats(0.01, 50),
)
INFOS = st.builds(
    SymbolInfo,
    symbol=TEXT,
    symbol_id=st.integers(0, 2**40),
    digits=st.integers(0, 8),
    pip_position=st.integers(0, 8),
    description=TEXT,
    category=TEXT,
    asset_class=TEXT,
    base=TEXT,
    quote=TEXT,
    enabled=st.booleans(),
    market_state=st.sampled_from(["open", "closed", "disabled"]),
)
MESSAGES: st.SearchStrategy[ListMessage] = st.one_of(
    st.builds(SubscribeResponse, id=MARKS, results=st.lists(RESULTS, max_size=5)),
    st.builds(UnsubscribeResponse, id=MARKS, results=st.lists(RESULTS, max_size=5)),
    st.builds(Symbols, id=MARKS, symbols=st.lists(INFOS, max_size=5), timestamp=st.integers(0, 2**45)),
)


@given(st.sampled_from(list(ENCODINGS)), MESSAGES, st.integers(1, 3))
def test_items_that_were_encoded_apart_give_the_same_bytes(encoding: Encoding, message: ListMessage, size: int) -> None:
    """In each encoding, whatever stands in the message, and however the list is cut."""
    if encoding is ENCODINGS.basic and isinstance(message, Symbols):
        return
    parts = list_of(message)
    items = [encoding.items(type(message), parts[n : n + size]) for n in range(0, len(parts), size)]
    assert b"".join(encoding.with_items(message, items)) == encoding.message(message)


@pytest.mark.parametrize("encoding", list(ENCODINGS), ids=lambda encoding: encoding.name)
@pytest.mark.parametrize("length", [0, 1, STEP_ITEMS, STEP_ITEMS + 1, 20 * STEP_ITEMS])
def test_a_long_list_is_encoded_in_steps(encoding: Encoding, length: int) -> None:
    """A short one in none; the bytes are the same."""
    results = [Result(symbol=f"S{n}", status="subscribed", seq=n) for n in range(length)]
    message = SubscribeResponse(id="m", results=results)
    steps = 0
    making = pieces_in_steps(encoding, message)
    while True:
        try:
            next(making)
        except StopIteration as end:
            assert b"".join(end.value) == encoding.message(message)
            break
        steps += 1
    assert steps == (0 if length <= STEP_ITEMS else -(-length // STEP_ITEMS))


def test_a_message_without_a_list_takes_no_step() -> None:
    """It is encoded as ever."""
    pong = Pong(id=1, timestamp=5)
    with pytest.raises(StopIteration) as end:
        next(pieces_in_steps(ENCODINGS.v1_json, pong))
    assert end.value.value == [ENCODINGS.v1_json.message(pong)]
