"""A symbol that leaves cTrader's list, or gets another id, while the connection stays."""

from dataclasses import replace

from twisted.internet.task import Clock

from tests.support.relay import Relay


def gaps(relay: Relay, change: str) -> list[tuple[str, str | None]]:
    """What a client hears of ticks around a change of EURUSD in the list."""
    client = relay.client("EURUSD", "GBPUSD")
    client.subscriber.features = frozenset({"gap"})
    relay.spot("EURUSD", 108_000)
    relay.turn(1.0)
    symbols, eurusd = list(relay.hub.symbols.values()), relay.hub.symbols["EURUSD"]
    others = [symbol for symbol in symbols if symbol is not eurusd]
    if change == "away":
        relay.hub.symbols_loaded(others)
        relay.turn(10.0)
        relay.hub.symbols_loaded(symbols)
    else:
        eurusd = replace(eurusd, **{"id": {"symbol_id": 900}, "digits": {"digits": 3}}[change])
        relay.hub.symbols_loaded([eurusd, *others])
    relay.hub.spot(eurusd.symbol_id, 108_100, 108_110, 0)
    relay.spot("GBPUSD", 108_100)
    relay.turn(1.0)
    return [(m["symbol"], m.get("cause")) for m in client.take() if m["type"] == "gap"]


def test_a_symbol_that_was_away_has_a_gap(clock: Clock) -> None:
    """It was not subscribed meanwhile: whoever subscribed it missed ticks, and is told so."""
    assert gaps(Relay(clock), "away") == [("EURUSD", "stale")]


def test_a_symbol_with_another_id_has_a_gap(clock: Clock) -> None:
    """Until cTrader confirms the new id no ticks come."""
    assert gaps(Relay(clock), "id") == [("EURUSD", "stale")]


def test_a_symbol_with_other_digits_has_none(clock: Clock) -> None:
    """Its subscription goes on."""
    assert gaps(Relay(clock), "digits") == []
