"""The messages that v1 clients get without a request."""

import json

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON, results
from tickrelay.model.schedule import Schedule
from tickrelay.model.ticks import Symbol
from tickrelay.relay.outbox import Outbox


def test_nothing_is_pushed_that_was_not_asked_for(client: Browser, server: Server) -> None:
    """Without features a v1 client gets answers, ticks and status changes."""
    results(client, symbols=["EURUSD"])
    server.spot(1, 100_000, 100_010)
    server.hub.feed_lost("upstream-disconnect", None)
    server.pass_time(40)
    server.spot(1, 100_000, 100_010)
    server.hub.symbol_refused("EURUSD", "X", "")
    assert {message["type"] for message in client.hear()} == {"tick"}


def test_a_gap_is_declared_once_for_a_symbol_and_outage(client: Browser, server: Server) -> None:
    """Before the first tick after the outage; two losses in a row are one outage; seq does not count it."""
    client.ask({"type": "connect", "protocol": 1, "features": ["gap"]})
    results(client, symbols=["EURUSD", "GBPUSD"])
    server.spot(1, 100_000, 100_010)
    client.hear()
    server.hub.feed_lost("upstream-disconnect", None)
    server.clock.advance(20)
    server.hub.feed_lost("stale", None)
    server.clock.advance(3)
    for bid in (100_001, 100_002):
        server.spot(1, bid, bid + 10)
    server.spot(2, 100_000, 100_010)
    gap, *ticks = client.hear()
    start = 1_767_225_600_000
    assert gap == {
        "type": "gap", "symbol": "EURUSD", "epoch": "e1", "afterSeq": 1, "fromMs": start, "toMs": start + 23_000,
        "cause": "upstream-disconnect",
    }  # fmt: skip
    assert [(tick["symbol"], tick["seq"]) for tick in ticks] == [("EURUSD", 2), ("EURUSD", 3), ("GBPUSD", 1)]


def test_heartbeats_come_every_period(client: Browser, server: Server) -> None:
    """From the connect on, whenever that is; a client that has left gets none."""
    server.factory.jobs.run()
    client.ask({"type": "connect", "protocol": 1, "features": ["heartbeat"]})
    beats = []
    for second in range(1, 46):
        server.pass_time(1)
        beats += [(second, message) for message in client.hear()]
    assert [second for second, _ in beats] == [15, 30, 45]
    assert beats[0][1] == {"type": "heartbeat", "timestamp": 1_767_225_615_000, "feed": "live"}
    client.vanish()
    for _ in range(30):
        server.factory.jobs.run()


def test_market_states_are_told_when_they_change(server: Server) -> None:
    """A subscribed symbol is reported closed and open in the second in which its session changes."""
    start_s = 1_767_225_600  # a Thursday, 00:00 UTC
    thursday = 4 * 86_400
    hours = Schedule(intervals=((0, thursday + 60), (thursday + 120, 7 * 86_400)))
    server.hub.symbols_loaded([Symbol(symbol_id=1, name="EURUSD", schedule=hours)])
    client = server.browser(JSON)
    client.ask({"type": "connect", "protocol": 1, "features": ["marketState"]})
    results(client, symbols=["EURUSD"])
    server.pass_time(150)
    assert [(m["symbol"], m["state"], m["timestamp"] // 1000 - start_s) for m in client.hear()] == [
        ("EURUSD", "closed", 60),
        ("EURUSD", "open", 120),
    ]
    client.ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
    for _ in range(10):
        server.factory.jobs.run()
    assert client.hear() == []


@pytest.mark.parametrize("others_first", [False, True], ids=["first client", "after a basic one"])
@pytest.mark.parametrize("seconds", [1, 4, 5, 7])
def test_a_market_that_closes_soon_after_the_subscription_is_pushed(
    server: Server, seconds: int, others_first: bool
) -> None:
    """The state at the subscription is what the first look compares with; no ``open`` comes without a ``closed``."""
    thursday = 4 * 86_400  # 2026-01-01, 00:00 UTC, is the clock's start
    hours = Schedule(intervals=((0, thursday + 20 + seconds), (thursday + 60, 7 * 86_400)))
    server.hub.symbols_loaded([Symbol(symbol_id=1, name="EURUSD", schedule=hours)])
    server.pass_time(20)
    if others_first:
        server.browser().ask({"type": "subscribe", "symbols": ["EURUSD"]})
    client = server.browser(JSON)
    client.ask({"type": "connect", "protocol": 1, "features": ["marketState"]})
    results(client, symbols=["EURUSD"])
    server.pass_time(60)
    assert [message["state"] for message in client.hear()] == ["closed", "open"]


def test_the_age_of_ticks_is_back_a_second_after_the_market_opens(server: Server) -> None:
    """While no symbol is due schedules are looked at each second, so that ``lastSpotAgeMs`` comes with the ticks."""
    thursday = 4 * 86_400
    for opens in (11, 12, 13, 14, 15):
        hours = Schedule(intervals=((thursday + int(server.clock.seconds()) + opens, 7 * 86_400),))
        server.hub.symbols_loaded([Symbol(symbol_id=1, name="EURUSD", schedule=hours)])
        client = server.browser(JSON)
        results(client, symbols=["EURUSD"])
        server.pass_time(opens + 1)
        server.spot(1, 100_000, 100_010)
        client.hear()
        assert client.ask({"type": "connect"})["feed"] == {"state": "live", "lastSpotAgeMs": 0}
        client.vanish()
        server.factory.jobs.run()


def test_notices_tell_of_refusals_and_of_the_end(client: Browser, server: Server) -> None:
    """A symbol that cTrader refuses, and the service's stop with the time to come back in."""
    client.ask({"type": "connect", "protocol": 1, "features": ["notice"]})
    results(client, symbols=["EURUSD"])
    server.hub.symbol_refused("EURUSD", "SYMBOL_NOT_FOUND", "no such symbol")
    server.hub.symbol_refused("NEVER", "SYMBOL_NOT_FOUND", "no such symbol")
    assert client.hear() == [
        {
            "type": "notice", "code": "SYMBOL_REFUSED", "message": "Refused by cTrader", "symbol": "EURUSD",
            "detail": {"upstream": "SYMBOL_NOT_FOUND"},
        }
    ]  # fmt: skip
    server.factory.drain()
    (_, notice), *_ = client.frames()
    assert json.loads(notice) == {
        "type": "notice", "code": "SERVER_DRAINING", "message": "restart", "reconnectMs": {"min": 0, "max": 1000}
    }  # fmt: skip


@pytest.mark.parametrize(("clients", "most_ms"), [(60, 1_000), (130, 1_300), (250, 2_500)])
def test_the_time_to_come_back_in_grows_with_the_clients(clock: Clock, clients: int, most_ms: int) -> None:
    """A hundred of all clients a second, whether they asked for notices or not; a second at the least."""
    server = Server(clock, max_connections_per_address=300)
    client = server.browser(JSON)
    client.ask({"type": "connect", "protocol": 1, "features": ["notice"]})
    for _ in range(clients - 1):
        server.browser()
    server.factory.drain()
    (_, notice), *_ = client.frames()
    assert json.loads(notice)["reconnectMs"] == {"min": 0, "max": most_ms}


def test_the_time_to_come_back_in_has_an_end(server: Server, client: Browser) -> None:
    """A minute, for however many."""
    client.ask({"type": "connect", "protocol": 1, "features": ["notice"]})
    (session,) = server.factory.sessions()
    others = server.hub.attach(Outbox(len, bool, print, 0), server.factory.context.encodings.basic)
    server.factory.context.notifications.draining([session.subscriber, *[others] * 20_000])
    assert client.hear()[0]["reconnectMs"] == {"min": 0, "max": 60_000}
