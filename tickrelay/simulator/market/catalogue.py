"""The catalogue as the messages that clients ask for: built once, sent to all.

Light symbols name and classify; full ones carry digits, schedule, volumes. The real server sets optional fields to
their default values explicitly, so does this one. Ids belong to this server.
"""

from collections.abc import Callable, Iterable

from tickrelay.model.schedule import Schedule
from tickrelay.openapi.model_pb2 import (
    ProtoOAArchivedSymbol,
    ProtoOAAsset,
    ProtoOAAssetClass,
    ProtoOAHoliday,
    ProtoOAInterval,
    ProtoOALightSymbol,
    ProtoOASymbol,
    ProtoOASymbolCategory,
    ProtoOATradingMode,
)
from tickrelay.simulator.market.hours import Named
from tickrelay.simulator.market.instruments import Instrument

_LOT = {"Forex": 10_000_000, "Metals": 10_000, "Indices": 100, "Energies": 10_000, "Crypto Currencies": 100}
"""Lot size in cents of a unit."""


class Catalogue:
    """Messages about *instruments*; *schedule* gives each one's trading hours."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        schedule: Callable[[Instrument], Schedule],
        holidays: Callable[[Instrument], Iterable[Named]],
    ) -> None:
        instruments = list(instruments)
        assets = dict.fromkeys(name for one in instruments for name in (one.base, one.quote))
        classes = dict.fromkeys(one.asset_class for one in instruments)
        categories = dict.fromkeys((one.category, one.asset_class) for one in instruments)
        asset_ids = {name: number + 1 for number, name in enumerate(assets)}
        class_ids = {name: number + 1 for number, name in enumerate(classes)}
        category_ids = {name: number + 1 for number, (name, _) in enumerate(categories)}
        self.assets = [
            ProtoOAAsset(assetId=number, name=name, displayName=name, digits=2) for name, number in asset_ids.items()
        ]
        self.asset_classes = [
            ProtoOAAssetClass(id=number, name=name, sortingNumber=float(number)) for name, number in class_ids.items()
        ]
        self.categories = [
            ProtoOASymbolCategory(
                id=category_ids[name], assetClassId=class_ids[kind], name=name, sortingNumber=float(category_ids[name])
            )
            for name, kind in categories
        ]
        self.light_symbols = [
            ProtoOALightSymbol(
                symbolId=one.symbol_id,
                symbolName=one.name,
                enabled=one.enabled,
                baseAssetId=asset_ids[one.base],
                quoteAssetId=asset_ids[one.quote],
                symbolCategoryId=category_ids[one.category],
                description=one.description,
                sortingNumber=float(one.symbol_id),
            )
            for one in instruments
        ]
        self.full_symbols = {one.symbol_id: _full(one, schedule(one), holidays(one)) for one in instruments}
        last_id = max((one.symbol_id for one in instruments), default=0)
        self.archived = [
            ProtoOAArchivedSymbol(
                symbolId=last_id + 1000,
                name="EURDEM",
                utcLastUpdateTimestamp=915_148_800_000,
                description="No longer traded",
            )
        ]


def _full(one: Instrument, schedule: Schedule, holidays: Iterable[Named]) -> ProtoOASymbol:
    symbol = ProtoOASymbol(
        symbolId=one.symbol_id,
        digits=one.digits,
        pipPosition=one.pip_position,
        enableShortSelling=True,
        guaranteedStopLoss=False,
        swapLong=0.0,
        swapShort=0.0,
        maxVolume=_LOT[one.asset_class] * 100,
        minVolume=_LOT[one.asset_class] // 100,
        stepVolume=_LOT[one.asset_class] // 100,
        schedule=[ProtoOAInterval(startSecond=start, endSecond=end) for start, end in schedule.intervals],
        scheduleTimeZone=schedule.zone_name,
        commission=0,
        slDistance=0,
        tpDistance=0,
        gslDistance=0,
        gslCharge=0,
        minCommission=0,
        minCommissionAsset="USD",
        rolloverCommission=0,
        skipRolloverDays=0,
        lotSize=_LOT[one.asset_class],
        measurementUnits="",
        tradingMode=ProtoOATradingMode.ENABLED
        if one.enabled
        else ProtoOATradingMode.DISABLED_WITHOUT_PENDINGS_EXECUTION,
        holiday=[
            ProtoOAHoliday(
                holidayId=number + 1,
                name=named.name,
                description="",
                scheduleTimeZone=named.holiday.zone_name,
                holidayDate=named.holiday.day,
                isRecurring=named.holiday.recurring,
                startSecond=named.holiday.start_s,
                endSecond=named.holiday.end_s,
            )
            for number, named in enumerate(holidays)
        ],
    )
    return symbol
