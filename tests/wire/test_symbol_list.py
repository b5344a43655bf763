"""The answer to getSymbols in pieces is, byte for byte, the answer in one."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tickrelay.wire.encodings import make_encodings
from tickrelay.wire.messages import Symbols
from tickrelay.wire.parts import SymbolInfo
from tickrelay.wire.symbol_list import encode_list, pieces

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INFO = st.builds(
    SymbolInfo,
    symbol=TEXT,
    symbol_id=st.integers(0, 2**40),
    digits=st.integers(0, 5),
    pip_position=st.integers(0, 5),
    description=TEXT,
    category=TEXT,
    asset_class=TEXT,
    base=TEXT,
    quote=TEXT,
    enabled=st.booleans(),
    market_state=st.sampled_from(("open", "closed", "disabled")),
)
MARK = st.just(UNSET) | st.integers(-(2**53), 2**53) | TEXT | st.just('","symbols":[]')


@given(binary=st.booleans(), symbols=st.lists(INFO, max_size=8), mark=MARK, timestamp=st.integers(0, 2**50))
def test_the_pieces_are_the_frame(binary: bool, symbols: list[SymbolInfo], mark: object, timestamp: int) -> None:
    """In both encodings, whatever the symbols are called and the id says."""
    encodings = make_encodings("e1")
    encoding = encodings.v1_protobuf if binary else encodings.v1_json
    whole = encoding.message(Symbols(id=mark, symbols=symbols, timestamp=timestamp))  # type: ignore[arg-type]
    message = Symbols(id=mark, symbols=[], timestamp=timestamp)  # type: ignore[arg-type]
    listed = encode_list(symbols, binary)
    made = pieces(message, listed, binary)
    assert b"".join(made) == whole
    assert any(piece is listed for piece in made), "not copied"
