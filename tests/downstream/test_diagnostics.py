"""The description of symbols, and the reason why one does not tick."""

from twisted.internet.task import Clock

from tests.support.browser import LIVE, LOST, Browser, Server
from tests.support.v1 import JSON, results
from tickrelay.model.feed import SymbolFeed
from tickrelay.model.schedule import Schedule
from tickrelay.model.ticks import Symbol


def test_symbols_are_described(client: Browser) -> None:
    """The fields that a frontend shows, and whether the market is open."""
    answer = client.ask({"type": "getSymbols", "id": 13})
    assert (answer["type"], answer["id"], len(answer["symbols"])) == ("symbols", 13, 5)
    assert answer["symbols"][1] == {
        "symbol": "XAUUSD", "symbolId": 41, "digits": 2, "pipPosition": 0, "description": "", "category": "",
        "assetClass": "", "base": "", "quote": "", "enabled": True, "marketState": "open",
    }  # fmt: skip
    assert answer["symbols"][2]["marketState"] == "disabled"


def test_explain_finds_the_reason(client: Browser, server: Server) -> None:
    """The first obstacle for a symbol's ticks, with all data about it."""

    def reason(symbol: str = "eur/usd") -> str:
        return str(client.ask({"type": "explain", "symbol": symbol})["reason"])

    assert reason("FOO") == "There is no such symbol"
    assert reason("OLD") == "The symbol is not enabled on this account"
    assert reason() == "This client has not subscribed it"
    server.feed.confirmed = False
    results(client, symbols=["EURUSD"])
    assert reason() == "cTrader has not confirmed the subscription yet"
    server.hub.status_changed(LOST)
    client.hear()
    assert reason() == "The connection to cTrader is not live"
    server.hub.status_changed(LIVE)
    client.hear()
    server.feed.confirmed = True
    assert reason() == "No tick has come since the subscription"
    server.spot(1, 100_000, 100_010)
    client.hear()
    assert reason() == "Nothing is wrong: the newest tick is 0.0 s old"
    server.clock.advance(8)
    assert reason() == "Nothing is wrong: the newest tick is 8.0 s old"
    server.clock.advance(53)
    assert reason() == "The market is open, but cTrader has sent no tick for 61.0 s"
    client.ask({"type": "configure", "paused": True})
    server.spot(1, 100_000, 100_010)
    assert client.ask({"type": "explain", "id": 15, "symbol": "eur/usd"}) == {
        "type": "explanation", "id": 15, "symbol": "eur/usd", "name": "EURUSD", "subscribed": True, "interest": 1,
        "wanted": True, "confirmedAtMs": 1, "lastSpotAgeMs": 0, "seq": 2, "marketState": "open",
        "feed": {"state": "live", "lastSpotAgeMs": 0},
        "queue": {"lane": "held", "paused": True, "behind": False, "waitingSymbols": 1, "bufferedBytes": 0},
        "reason": "This client has paused its ticks", "timestamp": 1_767_225_661_000,
    }  # fmt: skip


def test_explain_names_what_lies_with_ctrader_the_market_or_the_client(server: Server) -> None:
    """A refusal, a closed market, a client that does not read."""
    closed = Schedule(intervals=((0, 60),))
    server.hub.symbols_loaded([Symbol(symbol_id=1, name="EURUSD", schedule=closed), Symbol(symbol_id=2, name="GBPUSD")])
    client = server.browser(JSON)
    results(client, symbols=["EURUSD", "GBPUSD"])
    answer = client.ask({"type": "explain", "symbol": "EURUSD"})
    assert (answer["reason"], answer["marketState"]) == ("The market is closed", "closed")
    known = server.feed.explain
    server.feed.explain = lambda name: SymbolFeed(  # type: ignore[method-assign]
        wanted=True, confirmed_at_ms=0, refused="SYMBOL_NOT_FOUND"
    )
    answer = client.ask({"type": "explain", "symbol": "GBPUSD"})
    assert (answer["reason"], answer["refused"]) == ("cTrader refused the subscription", "SYMBOL_NOT_FOUND")
    server.feed.explain = known  # type: ignore[method-assign]
    client.protocol.pauseProducing()
    client.say({"type": "ping"}, {"type": "explain", "symbol": "GBPUSD"})
    client.protocol.resumeProducing()
    _, answer = client.hear()
    assert answer["reason"] == "This client reads more slowly than ticks come"
    assert (answer["queue"]["behind"], answer["queue"]["lane"]) == (True, "held")


def test_explain_before_there_is_a_symbol_list(clock: Clock) -> None:
    """Even then there is an answer."""
    client = Server(clock).browser(JSON)
    assert client.ask({"type": "explain", "symbol": "EURUSD"})["reason"] == "The symbol list was not loaded yet"
