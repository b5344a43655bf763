"""cTrader's messages about symbols as values: the one place where what a broker sends about them is bounded.

What is impossible is left out, or counts as unknown: every later use (schedules, answers to clients in JSON and
Protobuf, logs) relies on it. No value keeps a message alive, whose memory Protobuf frees only as a whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tickrelay.model.schedule import ALWAYS_OPEN, DAY_S, FIRST_DAY, LAST_DAY, WEEK_S, Holiday, Schedule
from tickrelay.model.ticks import PRICE_DIGITS, Symbol
from tickrelay.openapi.frames import clean, text
from tickrelay.openapi.model_pb2 import ProtoOAHoliday, ProtoOALightSymbol, ProtoOASymbol, ProtoOATradingMode

MAX_SYMBOLS = 50_000
MAX_ID = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""
MAX_NAME_CHARACTERS = 100
"""Clients cannot ask for longer names."""
MAX_PIP_POSITION = 10
MAX_INTERVALS = 100
"""Of a week. Brokers send one or two a day."""
MAX_HOLIDAYS = 200
MAX_ZONE_CHARACTERS = 64
MAX_ZONES = 64
"""Time zones of all symbols together; each unknown one is looked for on the disk now and then."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the symbol list says of a symbol."""

    symbol_id: int
    name: str
    description: str
    enabled: bool
    base_id: int
    quote_id: int
    category_id: int


@dataclass(frozen=True, slots=True)
class Details:
    """What is asked for by id."""

    digits: int = PRICE_DIGITS
    pip_position: int = 4
    schedule: Schedule = ALWAYS_OPEN


UNKNOWN = Details()
"""Of a symbol whose details the server did not send."""


def make_listed(symbols: Iterable[ProtoOALightSymbol]) -> dict[int, Listed]:
    """The listed symbols by id, at most `MAX_SYMBOLS`. Those without a usable id or name are left out."""
    listed: dict[int, Listed] = {}
    for light in symbols:
        name = clean(light.symbolName, MAX_NAME_CHARACTERS + 1)
        if 0 < light.symbolId <= MAX_ID and 0 < len(name) <= MAX_NAME_CHARACTERS:
            listed[light.symbolId] = Listed(
                symbol_id=light.symbolId,
                name=name,
                description=clean(light.description),
                enabled=light.enabled if light.HasField("enabled") else True,
                base_id=light.baseAssetId,
                quote_id=light.quoteAssetId,
                category_id=light.symbolCategoryId,
            )
            if len(listed) >= MAX_SYMBOLS:
                break
    return listed


class DetailsMaker:
    """Makes the details of one table's symbols."""

    def __init__(self) -> None:
        self._zones: set[str] = set()
        self._schedules: dict[Schedule, Schedule] = {}

    def make(self, full: ProtoOASymbol) -> Details:
        """The details; equal schedules become the same object, which is looked at once for all its symbols."""
        schedule = self._schedule(full)
        if len(self._schedules) >= MAX_SYMBOLS:
            self._schedules.clear()
        return Details(
            digits=full.digits if 0 <= full.digits <= PRICE_DIGITS else UNKNOWN.digits,  # fewer would round prices
            pip_position=min(max(full.pipPosition, 0), MAX_PIP_POSITION),
            schedule=self._schedules.setdefault(schedule, schedule),
        )

    def _schedule(self, full: ProtoOASymbol) -> Schedule:
        # In close-only mode positions can only be closed, but quotes flow.
        disabled = full.tradingMode not in (ProtoOATradingMode.ENABLED, ProtoOATradingMode.CLOSE_ONLY_MODE)
        zone_name = self._zone(full.scheduleTimeZone)
        intervals = [(interval.startSecond, interval.endSecond) for interval in full.schedule[: MAX_INTERVALS + 1]]
        if zone_name is None or len(intervals) > MAX_INTERVALS or not all(map(_is_possible, intervals)):
            # With a part of them the symbol would count as closed, or as open, when it is not.
            zone_name, intervals = "", []
        return Schedule(tuple(intervals), zone_name, tuple(self._holidays(full.holiday[:MAX_HOLIDAYS])), disabled)

    def _holidays(self, holidays: Iterable[ProtoOAHoliday]) -> Iterator[Holiday]:
        for holiday in holidays:
            start_s, end_s = holiday.startSecond, holiday.endSecond if holiday.HasField("endSecond") else DAY_S
            zone_name = self._zone(holiday.scheduleTimeZone)
            # A date beyond year 9999 (such as milliseconds in place of days) would raise OverflowError in every check.
            if (
                zone_name is not None
                and FIRST_DAY <= holiday.holidayDate <= LAST_DAY
                and 0 <= start_s < DAY_S
                and 0 <= end_s <= 2 * DAY_S
            ):
                yield Holiday(holiday.holidayDate, holiday.isRecurring, start_s, end_s, zone_name)

    def _zone(self, name: str | bytes) -> str | None:
        """The name of a zone that there may be; None: there is none, or the broker has named too many."""
        found = text(name)
        if len(found) > MAX_ZONE_CHARACTERS or found != clean(found) or ".." in found or found.startswith("/"):
            return None
        if found not in self._zones and len(self._zones) >= MAX_ZONES:
            return None
        self._zones.add(found)
        return found


def _is_possible(interval: tuple[int, int]) -> bool:
    start_s, end_s = interval
    return 0 <= start_s < WEEK_S and 0 <= end_s <= WEEK_S + DAY_S


def make_symbol(
    listed: Listed,
    details: Details = UNKNOWN,
    *,
    category: str = "",
    asset_class: str = "",
    base: str = "",
    quote: str = "",
) -> Symbol:
    """The Symbol of what the server says in its two messages, and of the names that go with it."""
    return Symbol(
        symbol_id=listed.symbol_id,
        name=listed.name,
        digits=details.digits,
        pip_position=details.pip_position,
        description=listed.description,
        category=category,
        asset_class=asset_class,
        base=base,
        quote=quote,
        enabled=listed.enabled,
        schedule=details.schedule,
    )
