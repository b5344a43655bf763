"""The figures that operators see."""

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON, results
from tickrelay.figures import figures
from tickrelay.model.feed import SymbolFeed
from tickrelay.model.schedule import DAY_S, WEEK_S, Schedule
from tickrelay.model.ticks import Symbol

THURSDAY_S = 4 * DAY_S
"""The clock of the tests begins on Thursday, 1 January 2026."""


def pass_time(server: Server, seconds: int) -> None:
    """Let time pass as it does with the service running."""
    for _ in range(seconds):
        server.clock.advance(1)
        server.factory.each_second()


def read(server: Server) -> dict[str, float]:
    """Every figure by its name."""
    return {metric.name: metric.read() for metric in figures(server.hub, server.factory, lambda: None, None)}


def age(server: Server) -> float:
    """The figure of the documented alarm."""
    return read(server)["last_spot_age_seconds"]


def feed_age(client: Browser) -> int | None:
    """What a v1 client is told of it."""
    feed = client.ask({"type": "connect", "protocol": 1, "features": []})["feed"]
    assert feed["state"] == "live"
    value: int | None = feed.get("lastSpotAgeMs")
    return value


def test_every_figure_is_a_number_from_the_start(clock: Clock) -> None:
    """Before anything has happened no figure is NaN, which no alarm can compare."""
    values = read(Server(clock))
    assert values["last_spot_age_seconds"] == 0
    assert all(value == value for value in values.values())


def test_the_age_of_the_last_spot_is_no_alarm_while_nobody_subscribes(clock: Clock) -> None:
    """It counts from the subscription, not from ticks of long ago; afterwards it is 0 again."""
    server = Server(clock, ping_interval_s=0.0)
    server.go_live()
    client = server.browser(JSON)
    results(client, symbols=["EURUSD"])
    pass_time(server, 3)
    server.spot(1, 108_000, 108_010)
    client.hear()
    pass_time(server, 2)
    assert (age(server), feed_age(client)) == (2, 2000)
    client.ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
    pass_time(server, 702)
    assert (age(server), feed_age(client)) == (0, None), "702 s without a tick, and none was due"
    results(client, symbols=["EURUSD"])
    pass_time(server, 4)
    assert (age(server), feed_age(client)) == (4, 4000)
    server.spot(1, 108_000, 108_010)
    assert age(server) == 0


def test_the_age_of_the_last_spot_rises_before_the_first_tick_too(clock: Clock) -> None:
    """A feed that never brings a tick of an open market is what the alarm is for."""
    server = Server(clock, ping_interval_s=0.0)
    server.go_live()
    results(server.browser(JSON), symbols=["EURUSD"])
    pass_time(server, 600)
    assert age(server) == 600


def test_the_age_of_the_last_spot_stands_still_while_the_market_is_closed(clock: Clock) -> None:
    """Closed: 0. Open again: counted from the opening."""
    server = Server(clock, ping_interval_s=0.0)
    hours = Schedule(((THURSDAY_S, THURSDAY_S + 600), (THURSDAY_S + 7200, WEEK_S)))
    server.symbols = [Symbol(symbol_id=1, name="EURUSD", schedule=hours)]
    server.go_live()
    client = server.browser(JSON)
    results(client, symbols=["EURUSD"])
    pass_time(server, 590)
    server.spot(1, 108_000, 108_010)
    client.hear()
    pass_time(server, 9)
    assert age(server) == 9
    pass_time(server, 7200 - 600)
    assert (age(server), feed_age(client)) == (0, None)
    pass_time(server, 301)
    assert 295 <= age(server) <= 300


def test_the_age_of_the_last_spot_leaves_out_refused_symbols(clock: Clock) -> None:
    """cTrader sends no ticks of a symbol that it refused."""
    server = Server(clock, ping_interval_s=0.0)
    server.go_live()
    results(server.browser(JSON), symbols=["EURUSD"])
    server.feed.explain = lambda name: SymbolFeed(  # type: ignore[method-assign]
        wanted=True, confirmed_at_ms=0, refused="SYMBOL_NOT_FOUND"
    )
    pass_time(server, 600)
    assert age(server) == 0
