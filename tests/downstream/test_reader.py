"""Innocents and attackers: whatever some clients send, turns stay short and the others are answered."""

import itertools
import json
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.frames import frame
from tests.support.turns import Turns
from tests.support.v1 import JSON, PROTOBUF
from tickrelay.admission.ledger import PIECE_S, SLICE_S
from tickrelay.model.ticks import Symbol
from tickrelay.wire import tickrelay_pb2 as requests_pb

COST_S = 0.0001
"""Work between two readings of the clock. One more piece than a slice may have begun, and ends with its step."""

LONGEST_TURN_S = SLICE_S + PIECE_S + 10 * COST_S

NAMES = [f"S{n:04d}" for n in range(3000)]
PING = frame(b'{"type":"ping"}')


@pytest.fixture
def turns() -> Turns:
    """The relay's clock."""
    return Turns(COST_S)


@pytest.fixture
def server(clock: Clock, turns: Turns) -> Server:
    """A relay with 3,000 symbols, and no limit that would hide what the ledger does."""
    server = Server(clock, turns, messages_burst=100_000, max_symbols=10_000, max_connections_per_address=1000)
    server.symbols = [Symbol(symbol_id=n, name=name) for n, name in enumerate(NAMES, 1)]
    server.go_live()
    return server


def connect(server: Server, turns: Turns, address: str, *lines: bytes) -> Browser:
    """A client from *address*; its handshake may have to wait its turn."""
    browser = Browser(server, address)
    browser.request(*lines)
    while not browser.transport.value():
        turns.turn()
    browser.opened()
    return browser


def request(**fields: Any) -> bytes:
    """The frame of a JSON request."""
    return frame(json.dumps(fields).encode())


def binary(**fields: Any) -> bytes:
    """The frame of a binary request."""
    return frame(requests_pb.ClientMessage(**fields).SerializeToString(), opcode=2)


def settle(turns: Turns) -> list[float]:
    """Turns until nothing is to be done; how long each took."""
    return list(itertools.takewhile(bool, (turns.turn() if turns.is_busy else 0.0 for _ in range(100_000))))


def test_a_long_request_is_answered_in_many_turns(server: Server, turns: Turns) -> None:
    """None of them takes longer than a slice; what the client sends meanwhile is answered afterwards, in order."""
    client = connect(server, turns, "192.0.2.1", JSON)
    client.protocol.dataReceived(request(type="subscribe", id=1, symbols=NAMES[:1000]) + PING)
    assert list(client.frames()) == []
    client.protocol.dataReceived(PING)
    lengths = settle(turns)
    assert len(lengths) >= 3 and max(lengths) <= LONGEST_TURN_S
    answer, *pongs = client.hear()
    assert [result["symbol"] for result in answer["results"]] == NAMES[:1000]
    assert [pong["type"] for pong in pongs] == ["pong", "pong"]
    assert client.transport.producerState == "producing"


def test_no_work_is_done_for_a_client_that_has_left(server: Server, turns: Turns) -> None:
    """Of a hundred that ask for much and close, what they had sent is dropped when its turn comes: in one turn all."""
    clients = [connect(server, turns, "192.0.2.1", JSON) for _ in range(100)]
    settle(turns)
    for client in clients:
        client.protocol.dataReceived(request(type="subscribe", symbols=NAMES[:1000]) * 3)
    for client in clients:
        client.protocol.has_left = lambda: True
    assert len(settle(turns)) < 20
    assert all(client.transport.disconnected for client in clients)
    assert server.feed.wanted == [] and len(server.factory) == 0


def test_a_short_request_is_answered_at_once(server: Server, turns: Turns) -> None:
    """In the same turn, the first one after the list was loaded too."""
    client = connect(server, turns, "192.0.2.1", JSON)
    assert client.ask({"type": "subscribe", "symbols": ["S0001"]})["results"][0]["status"] == "subscribed"


ATTACKS = {
    "names": request(type="subscribe", symbols=NAMES[:1000]) + request(type="unsubscribe", symbols=["*"]),
    "patterns": request(type="subscribe", symbols=[f"*{n}*" for n in range(20)]),
    "symbols": request(type="getSymbols"),
    "pings": PING * 500,
    "empty pings": frame(b"", opcode=9) * 500,
    "spellings": request(type="subscribe", symbols=[name.lower() for name in NAMES[:1000]]),
    "binary names": binary(subscribe=requests_pb.Subscribe(symbols=NAMES[:1000])),
    "binary symbols": binary(get_symbols=requests_pb.GetSymbols()),
}


@pytest.mark.parametrize("attackers", [1, 10, 100])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_innocent_is_answered_at_once_whatever_others_send(
    server: Server, turns: Turns, attack: bytes, attackers: int
) -> None:
    """The attackers send again as soon as they are answered: no turn is longer for it, and the innocent never waits."""
    innocent = connect(server, turns, "198.51.100.1", JSON)
    hostile = [connect(server, turns, "192.0.2.1", PROTOBUF if attack[0] == 0x82 else JSON) for _ in range(attackers)]
    settle(turns)
    before_s = turns.now_s
    # The burst of an address is all that is done at once; afterwards its work waits for its turn.
    for client in hostile:
        client.protocol.dataReceived(attack)
    assert turns.now_s - before_s < 0.03 + attackers * 6 * COST_S
    answered = 0
    for _ in range(60):
        assert turns.turn() <= LONGEST_TURN_S
        for client in hostile:
            if client.transport.producerState == "producing":
                client.transport.clear()
                client.protocol.dataReceived(attack)
        innocent.protocol.dataReceived(PING)
        answered += [message["type"] for message in innocent.hear()] == ["pong"]
        turns.now_s += 0.005
    assert answered == 60
    for client in hostile:
        client.vanish()
    settle(turns)
    assert server.feed.wanted == []


def test_reconnecting_with_a_burst_brings_no_fresh_start(server: Server, turns: Turns) -> None:
    """A hundred connections at a time, each with a burst of pings, over and over: little is read of them."""
    innocent = connect(server, turns, "198.51.100.1")
    read = 0
    for _ in range(10):
        hostile = [connect(server, turns, "192.0.2.1") for _ in range(100)]
        for client in hostile:
            client.protocol.dataReceived(PING * 200)
        for _ in range(10):
            assert turns.turn() <= LONGEST_TURN_S
            innocent.protocol.dataReceived(PING)
            assert len(innocent.hear()) == 1
            turns.now_s += 0.005
        for client in hostile:
            read += sum(opcode == 1 for opcode, _ in client.frames())
            client.vanish()
    assert read < 4_000, "of 200,000"
    settle(turns)
    assert innocent.ask({"type": "ping"})["type"] == "pong"


def test_resuming_again_and_again_delays_nobody_else(server: Server, turns: Turns) -> None:
    """Twenty clients of one address have a thousand ticks of ten symbols replayed, reconnect, and do it again."""
    first = connect(server, turns, "192.0.2.1", JSON)
    first.protocol.dataReceived(request(type="subscribe", symbols=NAMES[:10]))
    settle(turns)
    turns.cost_s = 0.0
    for n in range(10_000):
        server.hub.spot(1 + n % 10, 100_000 + n, 100_010 + n, 0)
        if n % 10 == 9:
            turns.now_s += 0.01
            turns.turn()
    turns.cost_s = COST_S
    innocent = connect(server, turns, "198.51.100.1", JSON)
    resume = {name: {"epoch": "e1", "seq": 1} for name in NAMES[:10]}
    again = request(type="subscribe", symbols=NAMES[:10], resume=resume)
    replayed = 0
    for _ in range(3):
        hostile = [connect(server, turns, "192.0.2.1", JSON) for _ in range(20)]
        before_s = turns.now_s
        for client in hostile:
            client.protocol.dataReceived(again)
        assert turns.now_s - before_s < 0.04
        for _ in range(20):
            assert turns.turn() <= LONGEST_TURN_S
            innocent.protocol.dataReceived(PING)
            assert [message["type"] for message in innocent.hear()] == ["pong"]
            turns.now_s += 0.005
        for client in hostile:
            replayed += sum(message["type"] == "tick" for message in client.hear())
            client.vanish()
    assert 0 < replayed < 200_000, "of 599,400"
    settle(turns)


@pytest.mark.parametrize("how", ["lost", "closed", "drained"])
def test_a_connection_that_ends_in_the_middle_of_a_request_leaves_nothing(
    server: Server, turns: Turns, how: str
) -> None:
    """Its steps end, its subscriptions too; nothing is sent after its close frame."""
    client = connect(server, turns, "192.0.2.1", JSON)
    client.protocol.dataReceived(request(type="subscribe", symbols=NAMES[:1000]))
    while not server.feed.wanted:
        turns.turn()
    assert len(server.feed.wanted) < 1000
    match how:
        case "lost":
            client.vanish()
        case "closed":
            client.protocol.close(4008, "slow consumer")  # type: ignore[arg-type]
        case "drained":
            server.factory.drain()
            turns.turn()
    settle(turns)
    assert server.feed.wanted == []
    assert [opcode for opcode, _ in client.frames() if opcode == 8] == ([] if how == "lost" else [8])
    assert client.protocol.session is None


def test_a_clients_close_frame_waits_for_its_request(server: Server, turns: Turns) -> None:
    """Frames are read in order, so the answer comes before the close."""
    client = connect(server, turns, "192.0.2.1", JSON)
    client.protocol.dataReceived(request(type="subscribe", symbols=NAMES[:1000]) + frame(b"\x03\xe8", opcode=8))
    settle(turns)
    assert [opcode for opcode, _ in client.frames()] == [1, 8]
    assert server.feed.wanted == []


def test_a_failure_while_waiting_frames_are_read_closes_one_client(
    server: Server, turns: Turns, expected_failures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1011, and it is read again, so that its answer to the close frame is seen."""
    client = connect(server, turns, "192.0.2.1", JSON)
    client.protocol.dataReceived(request(type="subscribe", symbols=NAMES[:1000]) + PING)

    def broken() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(client.protocol, "consumeData", broken)
    settle(turns)
    answer, close = client.frames()
    assert (answer[0], close) == (1, (8, (1011).to_bytes(2, "big") + b"internal error"))
    assert client.transport.producerState == "producing"
    assert len(expected_failures) == 1
    expected_failures.clear()


def test_a_failure_between_two_turns_closes_one_client(
    server: Server, turns: Turns, expected_failures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1011, and a traceback in the log; what it had subscribed is given up."""
    client = connect(server, turns, "192.0.2.1", JSON)
    client.protocol.dataReceived(request(type="subscribe", symbols=NAMES[:1000]))
    while not server.feed.wanted:
        turns.turn()
    monkeypatch.setattr(server.hub, "keep_history", None)
    settle(turns)
    ((opcode, payload),) = client.frames()
    assert (opcode, payload[:2]) == (8, (1011).to_bytes(2, "big"))
    assert server.feed.wanted == []
    assert len(expected_failures) == 1
    expected_failures.clear()


def test_a_client_that_sends_more_than_is_read_is_probed(clock: Clock, turns: Turns) -> None:
    """Every two seconds, while it is behind: the kernel of one that has left answers with a reset."""
    server = Server(clock, turns, messages_burst=10, messages_per_s=20, ping_interval_s=0.0)
    server.go_live()
    turns.cost_s = 0.0
    client = connect(server, turns, "192.0.2.1")

    def pass_time(seconds: int) -> list[int]:
        for _ in range(seconds * 100):
            turns.now_s += 0.01
            turns.turn()
        return [opcode for opcode, _ in client.frames()]

    client.protocol.dataReceived(PING * 30)
    assert pass_time(4) == [1] * 30, "who is read to the end within two seconds is not probed"
    client.protocol.dataReceived(frame(b"", opcode=10) * 5_000)
    assert pass_time(5) in ([9] * 2, [9] * 3)
