"""Protocol v1 over a connection: negotiation, requests, snapshots, resume, pace and pushes."""

import json
from typing import Any

import msgspec
import pytest

from twisted.internet.task import Clock

from tests.clients.fakes import LIVE, LOST, Browser, Server, frame
from tickrelay.interfaces import SymbolFeed
from tickrelay.schedule import Schedule
from tickrelay.status import FeedState, FeedStatus, Status
from tickrelay.ticks import Symbol
from tickrelay.wire import protobuf, requests
from tickrelay.wire.tickrelay_pb2 import ClientMessage
from tickrelay.wire.view import View

JSON = b"Sec-WebSocket-Protocol: tickrelay.v1.json"
PROTOBUF = b"Sec-WebSocket-Protocol: tickrelay.v1.protobuf"


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, with cTrader connected and some more symbols."""
    server = Server(clock, ping_interval_s=3600.0)
    server.symbols += [Symbol(symbol_id=2, name="GBPUSD"), Symbol(symbol_id=3, name="GBPJPY", digits=3)]
    server.go_live()
    return server


@pytest.fixture
def client(server: Server) -> Browser:
    """A client that speaks v1 JSON."""
    return server.browser(JSON)


def results(client: Browser, **request: Any) -> list[dict[str, Any]]:
    """Subscribe, and take the results; what else came stays away."""
    client.say({"type": "subscribe", **request})
    answer = client.hear()[0]
    assert answer["type"] == "subscribeResponse"
    found: list[dict[str, Any]] = answer["results"]
    return found


# Negotiation.


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [
        (b"tickrelay.v1.json", b"tickrelay.v1.json"),
        (b"tickrelay.v1.protobuf, tickrelay.v1.json", b"tickrelay.v1.protobuf"),
        (b"tickrelay.v2.json, tickrelay.v1.json", b"tickrelay.v1.json"),
        (b"chat, tickrelay.auth.c2VjcmV0", None),
    ],
)
def test_a_subprotocol_is_chosen(server: Server, offer: bytes, chosen: bytes | None) -> None:
    """The first that the relay knows; a token is never echoed."""
    client = server.browser(b"Sec-WebSocket-Protocol: " + offer)
    assert b" 101 " in client.head
    lines = [line for line in client.head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-protocol")]
    assert lines == ([b"Sec-WebSocket-Protocol: " + chosen] if chosen else [])


def test_connect_tells_what_holds(client: Browser) -> None:
    """The status carries the id, the protocol, the feed, the accepted features and the limits."""
    assert client.ask({"type": "connect", "protocol": 1, "id": "c1", "features": ["gap", "heartbeat", "teleport"]}) == {
        "type": "status",
        "status": "connected",
        "availableSymbols": ["EURUSD", "XAUUSD", "GBPUSD", "GBPJPY"],
        "id": "c1",
        "protocol": 1,
        "epoch": "e1",
        "feed": {"state": "live"},
        "features": ["heartbeat", "gap"],
        "limits": {"maxSymbols": 200, "maxRate": 50, "messagesPerSecond": 20, "maxMessageBytes": 65536},
        "heartbeatMs": 15000,
    }


def test_a_basic_client_becomes_v1_by_its_connect(server: Server) -> None:
    """``"protocol":1`` without a subprotocol; what was subscribed before goes on, in v1."""
    client = server.browser()
    client.ask({"type": "subscribe", "symbols": ["EURUSD"]})
    server.spot(1, 108_567, 108_570)
    assert "seq" not in client.hear()[0]
    assert client.ask({"type": "connect", "protocol": 1})["protocol"] == 1
    server.spot(1, 108_568, 108_571)
    (tick,) = client.hear()
    assert (tick["epoch"], tick["seq"]) == ("e1", 2)


def test_an_unknown_protocol_is_refused(client: Browser) -> None:
    """A client that speaks v1 and asks for another version is told and closed with 4502."""
    client.say({"type": "connect", "protocol": 2, "id": 1})
    (_, error), (opcode, close) = client.frames()
    assert json.loads(error) == {
        "type": "error",
        "id": 1,
        "code": "BAD_REQUEST",
        "message": "protocol: expected 1",
        "fatal": True,
    }
    assert (opcode, int.from_bytes(close[:2], "big")) == (8, 4502)


def test_a_basic_client_that_asks_for_an_unknown_protocol_stays_basic(server: Server) -> None:
    """A protocol that the relay does not know is an unknown field to basic."""
    assert "protocol" not in server.browser().ask({"type": "connect", "protocol": 2})


def test_errors_carry_code_and_id(client: Browser) -> None:
    """What cannot be read is answered and the connection lives on."""
    client.say(
        {"type": "subscribe", "id": 8, "symbols": "EURUSD"}, {"type": "fly", "id": "f"}, {"type": "ping", "id": 3}
    )
    bad, unknown, pong = client.hear()
    assert bad == {
        "type": "error",
        "id": 8,
        "code": "BAD_REQUEST",
        "message": "symbols: expected array of strings",
        "fatal": False,
    }
    assert (unknown["code"], unknown["id"]) == ("UNKNOWN_TYPE", "f")
    assert (pong["type"], pong["id"]) == ("pong", 3)


# Subscribing.


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
    """The relay goes on asking; the client knows what it waits for."""
    server.feed.confirmed = False
    assert results(client, symbols=["EURUSD"])[0]["pending"] is True
    server.feed.explain = lambda name: SymbolFeed(  # type: ignore[method-assign]
        wanted=True, confirmed_at_ms=0, refused="SYMBOL_NOT_FOUND"
    )
    found = results(client, symbols=["EURUSD"])[0]
    assert (found["status"], found["pending"], found["code"]) == ("subscribed", True, "UNKNOWN_SYMBOL")
    assert found["detail"] == {"upstream": "SYMBOL_NOT_FOUND"}


# Snapshot and resume.


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
    assert [tick["seq"] for tick in replay] == list(range(2, 2 + missed))
    assert not any("snapshot" in tick or "conflated" in tick for tick in replay)
    server.spot(1, 200_000, 200_010)
    assert [tick["seq"] for tick in back.hear()] == [2 + missed]


def test_a_client_that_missed_too_much_gets_a_snapshot(client: Browser, server: Server) -> None:
    """Never a part: recovered is false, and the newest tick restates the position."""
    _, (answer, snapshot) = lose_and_resume(server, client, 1001)
    (result,) = answer["results"]
    assert (result["recovered"], result["replayed"], result["seq"]) == (False, 0, 1002)
    assert (snapshot["seq"], snapshot["snapshot"]) == (1002, True)


@pytest.mark.parametrize("position", [{"epoch": "e0", "seq": 1}, {"epoch": "e1", "seq": 99}])
def test_a_position_of_another_run_or_the_future_gets_a_snapshot(
    client: Browser, server: Server, position: dict[str, Any]
) -> None:
    """The epoch names the run that counted."""
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


def test_replays_are_bounded_for_a_connection(server: Server, client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks for the same ticks again and again gets snapshots in the end."""
    back, _ = lose_and_resume(server, client, 1000)
    kinds = []
    for _ in range(10):
        back.ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
        back.say({"type": "subscribe", "symbols": ["EURUSD"], "resume": {"EURUSD": {"epoch": "e1", "seq": 1}}})
        kinds.append(back.hear()[0]["results"][0]["recovered"])
    assert kinds == [True] * 9 + [False]


# Pace.


def test_a_rate_conflates_and_accounts_for_it(client: Browser, server: Server) -> None:
    """At five a second: the newest tick, with the number of those merged into it."""
    (result,) = results(client, symbols=["EURUSD"], maxRate=5)
    assert result["maxRate"] == 5
    for n in range(100):
        server.spot(1, 100_000 + n, 100_010 + n)
        server.clock.advance(0.01)
    ticks = client.hear()
    assert 4 <= len(ticks) <= 6
    seq = 0
    for tick in ticks:
        assert tick["seq"] == seq + 1 + tick.get("conflated", 0)
        seq = tick["seq"]


@pytest.mark.parametrize(("asked", "effective"), [(100, 50), (50, 50), (3.14159, 3.1), (0.0001, 0.01), (0, None)])
def test_the_effective_rate_is_echoed(client: Browser, asked: float, effective: float | None) -> None:
    """Ask for 100, get 50; 0 is every tick."""
    assert results(client, symbols=["EURUSD"], maxRate=asked)[0].get("maxRate") == effective


def test_configure_changes_the_rate_and_pauses(client: Browser, server: Server) -> None:
    """What is left out stays; going on brings the newest tick of each symbol that moved."""
    results(client, symbols=["EURUSD", "GBPUSD"])
    assert client.ask({"type": "configure", "id": 1, "paused": True}) == {
        "type": "configureResponse", "id": 1, "maxRate": 0, "paused": True
    }  # fmt: skip
    for n in range(4):
        server.spot(1, 100_000 + n, 100_010 + n)
    assert client.hear() == []
    client.say({"type": "configure", "id": 2, "paused": False, "maxRate": 2})
    answer, *ticks = client.hear()
    assert (answer["paused"], answer["maxRate"]) == (False, 2)
    server.clock.advance(0.5)
    ticks += client.hear()
    assert [(tick["symbol"], tick["seq"], tick["conflated"]) for tick in ticks] == [("EURUSD", 4, 3)]
    assert results(client, symbols=["XAUUSD", "EURUSD"])[0]["maxRate"] == 2
    assert client.ask({"type": "configure"})["maxRate"] == 2


def test_subscribing_again_keeps_rate_and_position(client: Browser, server: Server) -> None:
    """A held client that subscribes again is told where it stands, and a snapshot is the conflated newest tick."""
    results(client, symbols=["EURUSD"], maxRate=1)
    for n in range(3):
        server.spot(1, 100_000 + n, 100_010 + n)
    client.say({"type": "subscribe", "symbols": ["EURUSD"], "snapshot": True})
    answer, tick = client.hear()
    assert (answer["results"][0]["seq"], answer["results"][0]["maxRate"]) == (0, 1)
    assert (tick["seq"], tick["conflated"], "snapshot" in tick) == (3, 2, False)


# Pushes.


def test_nothing_is_pushed_that_was_not_asked_for(client: Browser, server: Server) -> None:
    """Without features a v1 client gets answers, ticks and status changes."""
    results(client, symbols=["EURUSD"])
    server.spot(1, 100_000, 100_010)
    server.hub.feed_lost("upstream-disconnect", None)
    for _ in range(40):
        server.clock.advance(1)
        server.factory.each_second()
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
    """Whatever the moment of connecting; a client that leaves is forgotten."""
    server.factory.each_second()
    client.ask({"type": "connect", "protocol": 1, "features": ["heartbeat"]})
    beats = []
    for second in range(1, 46):
        server.clock.advance(1)
        server.factory.each_second()
        beats += [(second, message) for message in client.hear()]
    assert [second for second, _ in beats] == [15, 30, 45]
    assert beats[0][1] == {"type": "heartbeat", "timestamp": 1_767_225_615_000, "feed": "live"}
    client.vanish()
    for _ in range(30):
        server.factory.each_second()


def test_market_states_are_told_when_they_change(server: Server) -> None:
    """A subscribed symbol whose session ends is closed, to the second looked at."""
    start_s = 1_767_225_600  # a Thursday, 00:00 UTC
    thursday = 4 * 86_400
    hours = Schedule(intervals=((0, thursday + 60), (thursday + 120, 7 * 86_400)))
    server.hub.symbols_loaded([Symbol(symbol_id=1, name="EURUSD", schedule=hours)])
    client = server.browser(JSON)
    client.ask({"type": "connect", "protocol": 1, "features": ["marketState"]})
    results(client, symbols=["EURUSD"])
    told = []
    for _ in range(150):
        server.clock.advance(1)
        server.factory.each_second()
        told += client.hear()
    assert [(m["symbol"], m["state"], m["timestamp"] // 1000 - start_s) for m in told] == [
        ("EURUSD", "closed", 60),
        ("EURUSD", "open", 120),
    ]
    client.ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
    for _ in range(10):
        server.factory.each_second()
    assert client.hear() == []


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
        "type": "notice", "code": "SERVER_DRAINING", "message": "restart", "reconnectMs": {"min": 0, "max": 8000}
    }  # fmt: skip


def test_status_changes_carry_the_feed_and_its_detail(client: Browser, server: Server) -> None:
    """The six values stay; what is finer stands beside them."""
    server.hub.status_changed(FeedStatus(Status.ERROR, FeedState.WAITING, "renew the token", "CH_ACCESS_TOKEN_INVALID"))
    (status,) = client.hear()
    assert (status["status"], status["message"], status["availableSymbols"]) == ("error", "renew the token", [])
    assert (status["feed"], status["detail"]) == ({"state": "waiting"}, {"upstream": "CH_ACCESS_TOKEN_INVALID"})
    server.hub.status_changed(LOST)
    server.hub.status_changed(LIVE)
    assert [m["status"] for m in client.hear()] == ["disconnected", "connected"]


# Questions.


def test_symbols_are_described(client: Browser) -> None:
    """What a frontend shows of a symbol, and whether its market is open."""
    answer = client.ask({"type": "getSymbols", "id": 13})
    assert (answer["type"], answer["id"], len(answer["symbols"])) == ("symbols", 13, 5)
    assert answer["symbols"][1] == {
        "symbol": "XAUUSD", "symbolId": 41, "digits": 2, "pipPosition": 0, "description": "", "category": "",
        "assetClass": "", "base": "", "quote": "", "enabled": True, "marketState": "open",
    }  # fmt: skip
    assert answer["symbols"][2]["marketState"] == "disabled"


def test_explain_finds_the_reason(client: Browser, server: Server) -> None:
    """The first obstacle on a symbol's way, with all that is known of it."""

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
    assert reason() == "Nothing is wrong: ticks are coming"
    server.clock.advance(61)
    assert reason() == "The market is open, but cTrader sends no ticks"
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


def test_costly_requests_count_for_several(clock: Clock) -> None:
    """A client that asks for much is read more slowly, and nothing is refused."""
    server = Server(clock, messages_burst=30, messages_per_s=10.0)
    server.go_live()
    client = server.browser(JSON)
    client.say(
        {"type": "getSymbols"}, {"type": "getSymbols"}, {"type": "subscribe", "symbols": ["*"] * 10}, {"type": "ping"}
    )
    assert [message["type"] for message in client.hear()] == ["symbols", "symbols", "subscribeResponse"]
    clock.advance(0.3)
    assert client.hear() == []
    clock.pump([0.1] * 5)
    assert [message["type"] for message in client.hear()] == ["pong"]


# Protobuf.


def test_a_protobuf_client_sees_the_same(server: Server, client: Browser) -> None:
    """The same conversation in both encodings, message by message."""
    binary = server.browser(PROTOBUF)
    view = View()
    asked: list[requests.Request] = [
        requests.Connect(id="c", protocol=1, features=["gap"]),
        requests.Subscribe(id=2, symbols=["eur/usd", "GBP*", "FOO"], snapshot=True),
        requests.Explain(id=3, symbol="EURUSD"),
        requests.GetSymbols(),
    ]
    fields = {f.json_name: f.name for f in ClientMessage.DESCRIPTOR.fields}
    for request in asked:
        envelope = ClientMessage()
        protobuf.set_mark(envelope, request.id)
        protobuf.fill(request, getattr(envelope, fields[requests.type_of(type(request))]))
        binary.protocol.dataReceived(frame(envelope.SerializeToString(), opcode=2))
    client.say(*(json.loads(msgspec.json.encode(request)) for request in asked))
    server.spot(1, 108_567, 108_570)
    server.hub.feed_lost("stale", ["EURUSD"])
    server.spot(1, 108_567, 108_571)
    texts = client.hear()
    seen = [view.read(payload, opcode == 2) for opcode, payload in binary.frames()]
    texts[2]["interest"] = seen[2]["interest"]  # the other client came later
    assert seen == texts
    assert [m["type"] for m in seen] == [
        "status", "subscribeResponse", "explanation", "symbols", "tick", "gap", "tick"
    ]  # fmt: skip


def test_what_is_sent_again_has_the_ids_of_the_present_session(client: Browser, server: Server) -> None:
    """A snapshot or a replay of older ticks: their id may be another symbol's by now."""
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
    assert (answer["results"][0]["replayed"], tick["symbolId"]) == (1, 9)


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
