"""Many clients that resume at once: an encoding a tick, short turns, and each stream as the protocol promises it."""

from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser
from tests.support.resumes import Resumer, a_server, settle
from tests.support.turns import Turns
from tests.support.v1 import JSON, PROTOBUF, request_frame
from tests.support.view import View
from tickrelay.admission.ledger import ADDRESS_BURST_S, MODEST_S, PIECE_S, SLICE_S
from tickrelay.model.ticks import Symbol
from tickrelay.wire.v1_json import V1Json
from tickrelay.wire.v1_protobuf import V1Protobuf

COST_S = 0.0001
"""Work between two readings of the clock."""


@pytest.mark.parametrize("addresses", [1, 200])
def test_two_hundred_resumes_cost_one_encoding_a_tick(addresses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each encoding; they share the reactor's turns, each of which stays short, with a ping answered in it."""
    made = {V1Json: 0, V1Protobuf: 0}
    for encoding in made:

        def newest(self: Any, *args: Any, encoding: Any = encoding, newest: Any = encoding.newest) -> bytes:
            made[encoding] += 1
            return bytes(newest(self, *args))

        monkeypatch.setattr(encoding, "newest", newest)
    turns = Turns()
    server = a_server(turns)
    for n in range(700):
        server.hub.spot(1 + n % 2, 100_000 + n, 100_010 + n, 0)
    settle(turns)
    clients = []
    for number in range(200):
        browser = Browser(server, f"10.0.{number % addresses}.1")
        browser.open((JSON, PROTOBUF)[number // 2 % 2])
        browser.transport.clear()
        clients.append(browser)
    pinging = Browser(server, "10.1.1.1")
    pinging.open(JSON)
    requests = []
    for number in range(200):
        names = ["EURUSD", "GBPUSD"]
        resume = {name: {"epoch": "e1", "seq": number % 50} for name in names}
        request = {"type": "subscribe", "symbols": names, "resume": resume}
        requests.append(request_frame((JSON, PROTOBUF)[number // 2 % 2], request))
    turns.cost_s = COST_S
    before_s = turns.now_s
    for client, request in zip(clients, requests, strict=True):
        client.protocol.dataReceived(request)
    # What is done at once are the first requests, and reading the others.
    at_once = max(2 * MODEST_S, ADDRESS_BURST_S if addresses == 1 else 0.0) + PIECE_S
    assert turns.now_s - before_s < at_once + 200 * 12 * COST_S
    while turns.is_busy:
        assert turns.turn() <= SLICE_S + PIECE_S + 10 * COST_S
        assert pinging.ask({"type": "ping"})["type"] == "pong"
    turns.cost_s = 0.0
    assert made == {V1Json: 700, V1Protobuf: 700}
    for number, client in enumerate(clients):
        view = View()
        messages = [view.read(payload, opcode == 2) for opcode, payload in client.frames()]
        for name in ("EURUSD", "GBPUSD"):
            seqs = [message["seq"] for message in messages if message.get("symbol") == name]
            assert seqs == list(range(number % 50 + 1, 351))


def test_a_lone_client_resumes_at_once() -> None:
    """Nothing else is to be done, so the answer and all ticks come in the turn of the request."""
    turns = Turns()
    server = a_server(turns)
    for n in range(500):
        server.hub.spot(1, 100_000 + n, 100_010 + n, 0)
    settle(turns)
    client = Resumer(server, turns, 0)
    client.hear()
    client.say(type="subscribe", symbols=["EURUSD"], resume={"EURUSD": {"epoch": "e1", "seq": 0}})
    assert len(list(client.browser.frames())) == 501


def test_kept_frames_have_the_ids_of_the_present_session(clock: Clock) -> None:
    """A tick that was replayed before cTrader gave the symbol another id has the new one afterwards."""
    turns = Turns()
    server = a_server(turns)
    server.hub.spot(1, 100_000, 100_010, 0)
    settle(turns)
    ids = []
    for symbol_id in (1, 9):
        server.hub.symbols_loaded([Symbol(symbol_id=symbol_id, name="EURUSD")])
        for _ in range(2):
            client = Resumer(server, turns, 0)
            client.say(type="subscribe", symbols=["EURUSD"], resume={"EURUSD": {"epoch": "e1", "seq": 0}})
            settle(turns)
            ids += [m["symbolId"] for m in client.browser.hear() if m["type"] == "tick"]
    assert ids == [1, 1, 9, 9]
