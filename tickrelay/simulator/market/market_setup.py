"""Builds the random market with what belongs to it: trading hours, catalogue, and the bars from before the start."""

from collections.abc import Sequence

from tickrelay.model.schedule import Schedule
from tickrelay.simulator.market.backfill import Backfill
from tickrelay.simulator.market.catalogue import Catalogue
from tickrelay.simulator.market.hours import HOLIDAYS, HOURS, ROUND_THE_CLOCK, OpenHours
from tickrelay.simulator.market.instruments import Instrument, chosen
from tickrelay.simulator.market.market import Market


def open_market(
    symbols: Sequence[str], *, seed: int, now_s: float, rate: float, speed: float, real_hours: bool
) -> tuple[Market, Catalogue, Backfill]:
    """A market that begins at *now_s* (Unix seconds); without *real_hours* it is open all the time.

    *rate* multiplies the usual number of events; *speed* is seconds of market time a second. Raises LookupError for an
    unknown symbol.
    """
    instruments = chosen(symbols)

    def schedule(instrument: Instrument) -> Schedule:
        return HOURS[instrument.hours] if real_hours else ROUND_THE_CLOCK

    hours = {one.hours: OpenHours(schedule(one)) for one in instruments}
    market = Market(
        instruments,
        seed=seed,
        now_s=now_s,
        rate=rate,
        hours=lambda instrument: hours[instrument.hours],
    )
    market.catch_up_s *= speed
    schedules = {one.symbol_id: schedule(one) for one in instruments}
    backfill = Backfill(
        seed,
        int(now_s) // 60,
        market.origins(),
        lambda symbol_id, when_s: schedules[symbol_id].is_open(when_s),
    )
    catalogue = Catalogue(instruments, schedule, lambda instrument: HOLIDAYS[instrument.hours] if real_hours else ())
    return market, catalogue, backfill
