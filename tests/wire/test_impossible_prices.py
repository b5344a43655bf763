"""Prices and times that only a broken broker sends: every encoding says the same, and the other side stays right."""

import json

import pytest

from tickrelay.model.ticks import Symbol, Tick
from tickrelay.wire.basic import Basic
from tickrelay.wire.tickrelay_pb2 import ServerMessage
from tickrelay.wire.v1_json import V1Json
from tickrelay.wire.v1_protobuf import V1Protobuf

HEAD = 2
"""Bytes of a short WebSocket frame before its payload."""


def shown(tick: Tick) -> list[tuple[float, float]]:
    """Bid and ask as a client of each encoding gets them, in every form of a tick."""
    found = []
    scale = 10**tick.symbol.digits
    for encoding in (Basic(), V1Json("e1")):
        for frame in (encoding.tick(tick), encoding.newest(tick, 1), encoding.snapshot(tick, 1)):
            text = frame[frame.index(b'{"') :]
            message = json.loads(text)
            found.append((message["bid"], message["ask"]))
    binary = V1Protobuf()
    for frame in (binary.tick(tick), binary.tick(tick), binary.newest(tick, 1), binary.snapshot(tick, 1)):
        said = ServerMessage.FromString(frame[HEAD:]).tick
        found.append((said.bid / scale, (said.bid + said.spread) / scale))
    return found


@pytest.mark.parametrize("impossible", [2**53, 2**62, 2**63, 2**64 - 1])
@pytest.mark.parametrize("digits", [0, 3, 5])
def test_an_impossible_price_spoils_neither_encoding_nor_side(impossible: int, digits: int) -> None:
    """The bid is the largest price there is; the ask is what the broker sent."""
    symbol = Symbol(symbol_id=1, name="EURUSD", digits=digits)
    bids, asks = zip(*shown(Tick(symbol, impossible, 101_200_000, 1_767_225_600_000, 0, 1)), strict=True)
    assert set(asks) == {1012}
    assert set(bids) == {bids[0]} and bids[0] == pytest.approx(2**53 / 100_000, rel=1e-9)


@pytest.mark.parametrize("source_ms", [-(2**63), 2**63 - 1, -1])
def test_an_impossible_time_is_exact_or_absent(source_ms: int) -> None:
    """A client that computes ``sourceTs`` never gets another time than the broker sent."""
    tick = Tick(Symbol(symbol_id=1, name="EURUSD"), 1, 2, 1_767_225_600_000, source_ms, 1)
    binary = V1Protobuf()
    for frame in (binary.tick(tick), binary.tick(tick)):
        said = ServerMessage.FromString(frame[HEAD:]).tick
        assert not said.HasField("source_delta") or said.timestamp - said.source_delta == source_ms
