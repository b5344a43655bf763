"""What the broker needs of a market: the random one, or a recording (`tickrelay.recording.player`)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tickrelay.model.quotes import Quote
from tickrelay.openapi.model_pb2 import (
    ProtoOAArchivedSymbol,
    ProtoOAAsset,
    ProtoOAAssetClass,
    ProtoOALightSymbol,
    ProtoOASymbol,
    ProtoOASymbolCategory,
)


class Listings(Protocol):
    """What there is to trade, as messages."""

    light_symbols: list[ProtoOALightSymbol]
    full_symbols: dict[int, ProtoOASymbol]
    archived: list[ProtoOAArchivedSymbol]
    assets: list[ProtoOAAsset]
    asset_classes: list[ProtoOAAssetClass]
    categories: list[ProtoOASymbolCategory]


class Source(Protocol):
    """Quotes over time. The time is the broker's market time, Unix seconds."""

    rate: float
    shut: bool
    """No symbol trades, whatever its hours (a fault)."""

    @property
    def next_s(self) -> float:
        """When the next quote is due."""

    def advance(self, now_s: float) -> list[Quote]:
        """The quotes up to *now_s*, oldest first; may stop at a limit, and then more are due at once."""

    def technical(self, symbol_id: int) -> Quote | None:
        """The last quote, both sides, with the session's close; None where there is none yet."""

    def subscribed(self, now_s: float, speed: float) -> None:
        """Called after each subscription of spots; *speed* is market seconds a second."""

    def restart(self) -> None:
        """The rate has changed."""


def asset_ids(listings: Listings) -> Mapping[str, int]:
    """Ids of assets by their names."""
    return {asset.name: asset.assetId for asset in listings.assets}


def between(listings: Listings, one: int, other: int) -> ProtoOALightSymbol | None:
    """The symbol that converts between two assets, either way round."""
    pair = {one, other}
    return next((s for s in listings.light_symbols if {s.baseAssetId, s.quoteAssetId} == pair), None)


def names(symbols: Sequence[ProtoOALightSymbol]) -> Mapping[str, ProtoOALightSymbol]:
    """Symbols by name."""
    return {symbol.symbolName: symbol for symbol in symbols}
