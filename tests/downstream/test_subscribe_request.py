"""Subscribing in v1: names, patterns, snapshots, resume, rates."""

from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON, last_seq, results
from tickrelay.model.feed import SymbolFeed
from tickrelay.model.ticks import Symbol


def test_results_say_where_the_stream_begins(client: Browser, server: Server) -> None:
    """Id, digits, epoch and seq for each symbol; the next tick has the next number."""
    assert results(client, id=7, symbols=["XAUUSD"]) == [
        {"symbol": "XAUUSD", "status": "subscribed", "symbolId": 41, "digits": 2, "epoch": "e1", "seq": 0}
    ]
    server.spot(41, 265_012_300, 265_034_700)
    (tick,) = client.hear()
    assert (tick["seq"], tick["epoch"], tick["bid"]) == (1, "e1", 2650.12)
    assert "conflated" not in tick and "snapshot" not in tick


def test_another_spelling_finds_the_symbol(client: Browser, server: Server) -> None:
    """The client's own spelling is echoed and the name told; the exact spelling comes first."""
    server.hub.symbols_loaded([*server.symbols, Symbol(symbol_id=90, name="eurusd"), Symbol(symbol_id=91, name="E-X"),
                               Symbol(symbol_id=92, name="EX")])  # fmt: skip
    found = results(client, symbols=["gbp/usd", "eurusd", "Gbp_Jpy", "e/x", "E-X", "EUR/USD"])
    assert [(r["symbol"], r.get("name"), r.get("message")) for r in found] == [
        ("gbp/usd", "GBPUSD", None),
        ("eurusd", None, None),
        ("Gbp_Jpy", "GBPJPY", None),
        ("e/x", None, "Ambiguous: E-X, EX"),
        ("E-X", None, None),
        ("EUR/USD", None, "Ambiguous: EURUSD, eurusd"),
    ]
    assert found[3]["code"] == "UNKNOWN_SYMBOL"


def test_a_pattern_stands_for_the_symbols_that_match(client: Browser, server: Server) -> None:
    """Each by its own name and once; disabled ones are refused; one that matches nothing is unknown."""
    found = results(client, symbols=["GBPJPY", "GBP*", "O*D", "*FOO*", "FOO"])
    assert [(r["symbol"], r["status"], r.get("code")) for r in found] == [
        ("GBPJPY", "subscribed", None),
        ("GBPUSD", "subscribed", None),
        ("OLD", "error", "SYMBOL_DISABLED"),
        ("*FOO*", "error", "UNKNOWN_SYMBOL"),
        ("FOO", "error", "UNKNOWN_SYMBOL"),
    ]
    answer = client.ask({"type": "unsubscribe", "id": 1, "symbols": ["gbp/jpy", "*USD", "EURUSD"]})
    assert answer["results"] == [
        {"symbol": "gbp/jpy", "status": "unsubscribed", "name": "GBPJPY"},
        {"symbol": "GBPUSD", "status": "unsubscribed"},
        {"symbol": "EURUSD", "status": "unsubscribed"},
    ]
    assert server.feed.wanted == []


def test_patterns_are_bounded(client: Browser) -> None:
    """The cost of one request has a limit."""
    found = results(client, symbols=["Q*"] * 25)
    assert [r["code"] for r in found] == ["UNKNOWN_SYMBOL"] * 20 + ["BAD_REQUEST"] * 5


def test_too_many_symbols_are_refused_one_by_one(clock: Clock) -> None:
    """Those within the limit are subscribed; subscribing again what one has is no more; a pattern is refused once."""
    server = Server(clock, max_symbols=1)
    server.symbols.append(Symbol(symbol_id=2, name="GBPUSD"))
    server.go_live()
    client = server.browser(JSON)
    for _ in range(2):
        found = results(client, symbols=["EURUSD", "*"])
        assert [(r["symbol"], r.get("code")) for r in found] == [
            ("EURUSD", None),
            ("*", "SUBSCRIPTION_LIMIT"),
            ("OLD", "SYMBOL_DISABLED"),
        ]


def test_no_symbol_list_yet(clock: Clock) -> None:
    """As in basic, with the code; patterns too."""
    server = Server(clock)
    found = results(server.browser(JSON), symbols=["EURUSD", "*"])
    assert [(r["code"], r["message"]) for r in found] == [("NOT_READY", "Not connected to cTrader")] * 2


def test_a_pending_or_refused_subscription_says_so(client: Browser, server: Server) -> None:
    """The result has the state and cTrader's error; the relay goes on trying."""
    server.feed.confirmed = False
    assert results(client, symbols=["EURUSD"])[0]["pending"] is True
    server.feed.explain = lambda name: SymbolFeed(  # type: ignore[method-assign]
        wanted=True, confirmed_at_ms=0, refused="SYMBOL_NOT_FOUND"
    )
    found = results(client, symbols=["EURUSD"])[0]
    assert (found["status"], found["pending"], found["code"]) == ("subscribed", True, "UNKNOWN_SYMBOL")
    assert found["detail"] == {"upstream": "SYMBOL_NOT_FOUND"}


def test_a_snapshot_comes_at_once_with_its_age(client: Browser, server: Server) -> None:
    """The newest tick, its position and age; a symbol without one has none."""
    server.browser(JSON).ask({"type": "subscribe", "symbols": ["EURUSD"]})
    for bid in (108_000, 108_001):
        server.spot(1, bid, bid + 3)
    server.clock.advance(5.4)
    client.say({"type": "subscribe", "symbols": ["EURUSD", "GBPUSD"], "snapshot": True})
    answer, snapshot = client.hear()
    assert [r["seq"] for r in answer["results"]] == [2, 0]
    assert (snapshot["seq"], snapshot["snapshot"], snapshot["ageMs"], snapshot["bid"]) == (2, True, 5400, 1.08001)
    server.spot(1, 108_002, 108_005)
    assert [m["seq"] for m in client.hear()] == [3]


def test_a_snapshot_within_a_turn_is_followed_by_what_the_turn_brings(client: Browser, server: Server) -> None:
    """A tick that waits for the end of the turn is neither skipped nor sent twice."""
    server.browser(JSON).ask({"type": "subscribe", "symbols": ["EURUSD"]})
    server.spot(1, 108_000, 108_003)
    server.hub.spot(1, 108_001, 108_004, 0)
    client.say({"type": "subscribe", "symbols": ["EURUSD"], "snapshot": True})
    server.clock.advance(0)
    answer, snapshot, tick = client.hear()
    assert (answer["results"][0]["seq"], snapshot["seq"], tick["seq"]) == (1, 1, 2)


def lose_and_resume(server: Server, client: Browser, missed: int) -> tuple[Browser, list[dict[str, Any]]]:
    """A client that stood at seq 1 is away for *missed* ticks and comes back."""
    results(client, symbols=["EURUSD"])
    server.spot(1, 100_000, 100_010)
    client.hear()
    client.vanish()
    for n in range(missed):
        server.spot(1, 100_001 + n, 100_020 + n)
    back = server.browser(JSON)
    back.say({"type": "subscribe", "symbols": ["EURUSD"], "resume": {"EURUSD": {"epoch": "e1", "seq": 1}}})
    return back, back.hear()


@pytest.mark.parametrize("missed", [0, 1, 33, 1000])
def test_a_client_that_returns_gets_all_that_it_missed(client: Browser, server: Server, missed: int) -> None:
    """Every tick, in order, then the live ones: no jump, nothing twice."""
    back, (answer, *replay) = lose_and_resume(server, client, missed)
    (result,) = answer["results"]
    assert (result["recovered"], result["replayed"], result["seq"]) == (True, missed, 1 + missed)
    assert result.get("fromSeq") == (2 if missed else None)
    assert [tick["seq"] for tick in replay] == list(range(2, 2 + missed))
    assert not any("snapshot" in tick or "conflated" in tick for tick in replay)
    server.spot(1, 200_000, 200_010)
    assert [tick["seq"] for tick in back.hear()] == [2 + missed]


def test_a_client_that_missed_too_much_gets_a_snapshot(client: Browser, server: Server) -> None:
    """Never a part: recovered is false, and the newest tick restates the position."""
    _, (answer, snapshot) = lose_and_resume(server, client, 1001)
    (result,) = answer["results"]
    assert (result["recovered"], result["replayed"], result["seq"]) == (False, 0, 1002)
    assert "fromSeq" not in result
    assert (snapshot["seq"], snapshot["snapshot"]) == (1002, True)


@pytest.mark.parametrize("position", [{"epoch": "e0", "seq": 1}, {"epoch": "e1", "seq": 99}])
def test_a_position_of_another_run_or_the_future_gets_a_snapshot(
    client: Browser, server: Server, position: dict[str, Any]
) -> None:
    """seq counts within one run of the relay, which the epoch identifies."""
    results(client, symbols=["EURUSD"])
    server.spot(1, 100_000, 100_010)
    back = server.browser(JSON)
    back.say({"type": "subscribe", "symbols": ["eur/usd"], "resume": {"EURUSD": position}})
    answer, snapshot = back.hear()
    assert answer["results"][0]["recovered"] is False
    assert snapshot["snapshot"] is True


def test_history_is_not_resumed_across_an_outage(client: Browser, server: Server) -> None:
    """What was lost before the relay cannot be replayed, so the client is not told that it has everything."""
    results(client, symbols=["EURUSD"])
    server.spot(1, 100_000, 100_010)
    server.hub.feed_lost("upstream-disconnect", None)
    server.spot(1, 100_001, 100_011)
    back = server.browser(JSON)
    back.say({"type": "subscribe", "symbols": ["EURUSD"], "resume": {"EURUSD": {"epoch": "e1", "seq": 1}}})
    answer, snapshot = back.hear()
    assert (answer["results"][0]["recovered"], snapshot["seq"]) == (False, 2)


@pytest.mark.parametrize("key", ["EURUSD", "eur/usd"])
def test_a_symbol_spelled_in_two_ways_is_replayed_once(client: Browser, server: Server, key: str) -> None:
    """Whichever spelling has the position, both results name it, and each missed tick comes once."""
    results(client, symbols=["EURUSD"])
    for n in range(4):
        server.spot(1, 100_000 + n, 100_010 + n)
    back = server.browser(JSON)
    back.say({"type": "subscribe", "symbols": ["EURUSD", "eur/usd"], "snapshot": True,
              "resume": {key: {"epoch": "e1", "seq": 1}}})  # fmt: skip
    answer, *replay = back.hear()
    assert [(r["symbol"], r.get("name"), r["fromSeq"], r["seq"]) for r in answer["results"]] == [
        ("EURUSD", None, 2, 4),
        ("eur/usd", "EURUSD", 2, 4),
    ]
    assert [tick["seq"] for tick in replay] == [2, 3, 4]


def test_a_client_that_dies_in_the_middle_of_a_replay_loses_nothing(client: Browser, server: Server) -> None:
    """The position that the result gives (`fromSeq - 1`) and each tick after it are good to resume from."""
    back, (answer, *replay) = lose_and_resume(server, client, 10)
    (result,) = answer["results"]
    positions = [result.get("fromSeq", result["seq"] + 1) - 1, *(tick["seq"] for tick in replay)]
    back.vanish()
    for seq in positions:
        again = server.browser(JSON)
        again.say({"type": "subscribe", "symbols": ["EURUSD"], "resume": {"EURUSD": {"epoch": "e1", "seq": seq}}})
        _, *ticks = again.hear()
        assert [tick["seq"] for tick in ticks] == list(range(seq + 1, 12))


def test_replays_are_bounded_for_a_connection(server: Server, client: Browser) -> None:
    """A client that asks for the same ticks again and again gets snapshots in the end."""
    back, _ = lose_and_resume(server, client, 1000)
    kinds = []
    for _ in range(10):
        back.ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
        back.say({"type": "subscribe", "symbols": ["EURUSD"], "resume": {"EURUSD": {"epoch": "e1", "seq": 1}}})
        kinds.append(back.hear()[0]["results"][0]["recovered"])
    assert kinds == [True] * 9 + [False]


def test_a_rate_conflates_and_accounts_for_it(client: Browser, server: Server) -> None:
    """At five a second: the newest tick, with the number of those merged into it."""
    (result,) = results(client, symbols=["EURUSD"], maxRate=5)
    assert result["maxRate"] == 5
    for n in range(100):
        server.spot(1, 100_000 + n, 100_010 + n)
        server.clock.advance(0.01)
    ticks = client.hear()
    assert 4 <= len(ticks) <= 6
    assert last_seq(ticks) > 0


@pytest.mark.parametrize(("asked", "effective"), [(100, 50), (50, 50), (3.14159, 3.1), (0.0001, 0.01), (0, None)])
def test_the_effective_rate_is_echoed(client: Browser, asked: float, effective: float | None) -> None:
    """Ask for 100, get 50; 0 is every tick."""
    assert results(client, symbols=["EURUSD"], maxRate=asked)[0].get("maxRate") == effective


def test_subscribing_again_keeps_rate_and_position(client: Browser, server: Server) -> None:
    """A held client that subscribes again is told where it stands, and a snapshot is the conflated newest tick."""
    results(client, symbols=["EURUSD"], maxRate=1)
    for n in range(3):
        server.spot(1, 100_000 + n, 100_010 + n)
    assert [tick["seq"] for tick in client.hear()] == [1]
    client.say({"type": "subscribe", "symbols": ["EURUSD"], "snapshot": True})
    answer, tick = client.hear()
    assert (answer["results"][0]["seq"], answer["results"][0]["maxRate"]) == (1, 1)
    assert (tick["seq"], tick["conflated"], "snapshot" in tick) == (3, 1, False)


def test_what_is_sent_again_has_the_ids_of_the_present_session(client: Browser, server: Server) -> None:
    """A snapshot of an older tick: its id may be another symbol's by now. Nothing is replayed: ticks were missed."""
    results(client, symbols=["EURUSD"])
    server.hub.spot(1, 108_567, 108_570, 0)
    server.hub.symbols_loaded([Symbol(symbol_id=9, name="EURUSD"), Symbol(symbol_id=1, name="GBPUSD")])
    assert client.hear()[0]["symbolId"] == 1  # what came before the list is said as it came
    client.say({"type": "subscribe", "symbols": ["EURUSD"], "snapshot": True})
    answer, snapshot = client.hear()
    assert answer["results"][0]["symbolId"] == snapshot["symbolId"] == 9
    back = server.browser(JSON)
    back.say({"type": "subscribe", "symbols": ["EURUSD"], "resume": {"EURUSD": {"epoch": "e1", "seq": 0}}})
    answer, tick = back.hear()
    result = answer["results"][0]
    assert (result["recovered"], result["replayed"], tick["symbolId"], tick["snapshot"]) == (False, 0, 9, True)


def test_ten_seconds_away_at_five_hundred_ticks_a_second(server: Server, client: Browser) -> None:
    """Of ten symbols that tick fifty times a second each, exactly the 5,000 missed ticks come, in order."""
    names = [f"S{n}" for n in range(10)]
    server.hub.symbols_loaded([Symbol(symbol_id=n, name=name) for n, name in enumerate(names)])
    results(client, symbols=names)

    def second() -> None:
        for n in range(500):
            server.hub.spot(n % 10, 100_000 + n, 100_010 + n, 0)
        server.clock.advance(1)

    second()
    last = {message["symbol"]: message["seq"] for message in client.hear()}
    client.vanish()
    for _ in range(10):
        second()
    back = server.browser(JSON)
    resume = {name: {"epoch": "e1", "seq": seq} for name, seq in last.items()}
    back.say({"type": "subscribe", "symbols": ["S*"], "resume": resume})
    second()
    answer, *ticks = back.hear()
    assert {result["recovered"] for result in answer["results"]} == {True}
    assert sum(result["replayed"] for result in answer["results"]) == 5_000
    for name in names:
        assert [tick["seq"] for tick in ticks if tick["symbol"] == name] == list(range(51, 601))
