"""The random market of a simulator with all that goes with it: hours, catalogue, and what was before the start."""

from tickrelay.model.schedule import Schedule
from tickrelay.simulator.market.backfill import Backfill
from tickrelay.simulator.market.catalogue import Catalogue
from tickrelay.simulator.market.hours import HOLIDAYS, HOURS, ROUND_THE_CLOCK, OpenHours
from tickrelay.simulator.market.instruments import Instrument, chosen
from tickrelay.simulator.market.market import Market
from tickrelay.simulator.settings import SimulatorSettings


def open_market(settings: SimulatorSettings, now_s: float) -> tuple[Market, Catalogue, Backfill]:
    """A market that begins now (Unix seconds)."""
    instruments = chosen(settings.symbols)
    real = settings.schedule == "real"

    def schedule(instrument: Instrument) -> Schedule:
        return HOURS[instrument.hours] if real else ROUND_THE_CLOCK

    hours = {one.hours: OpenHours(schedule(one)) for one in instruments}
    market = Market(
        instruments,
        seed=settings.seed,
        now_s=now_s,
        rate=settings.rate,
        hours=lambda instrument: hours[instrument.hours],
    )
    market.catch_up_s *= settings.speed
    schedules = {one.symbol_id: schedule(one) for one in instruments}
    prehistory = Backfill(
        settings.seed,
        int(now_s) // 60,
        market.origins(),
        lambda symbol_id, when_s: schedules[symbol_id].is_open(when_s),
    )
    catalogue = Catalogue(instruments, schedule, lambda instrument: HOLIDAYS[instrument.hours] if real else ())
    return market, catalogue, prehistory
