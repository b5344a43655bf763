"""While a large answer is on its way its client is not read, need send no pong, and gets no frame inside of it."""

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON
from tickrelay.model.ticks import Symbol

SYMBOLS = 5_000


@pytest.fixture
def server(clock: Clock) -> Server:
    """A relay with enough symbols for an answer of 1 MB."""
    server = Server(clock)
    server.symbols = [Symbol(symbol_id=n + 1, name=f"S{n}") for n in range(SYMBOLS)]
    server.go_live()
    return server


def test_the_next_request_waits_for_the_answer(server: Server, clock: Clock) -> None:
    """It is answered as soon as the large answer is written out."""
    browser = server.browser(JSON)
    browser.protocol.pauseProducing()  # the transport is full from here on
    browser.say({"type": "getSymbols", "id": 1}, {"type": "getSymbols", "id": 2}, {"type": "ping", "id": 3})
    clock.advance(1.0)
    assert browser.protocol.outbox is not None and browser.protocol.outbox.large_bytes > 500_000
    assert browser.transport.producerState == "paused"
    browser.protocol.resumeProducing()
    for _ in range(5):
        clock.advance(0.2)
    answers = browser.hear()
    assert [(answer["type"], answer["id"]) for answer in answers] == [("symbols", 1), ("symbols", 2), ("pong", 3)]
    assert all(len(answer["symbols"]) == SYMBOLS for answer in answers[:2])


def test_a_ping_waits_behind_the_answer(server: Server, clock: Clock) -> None:
    """No pong can come before the ping is sent: the client is not closed for it, and no frame is inside of another."""
    browser = server.browser(JSON)
    browser.protocol.pauseProducing()
    browser.say({"type": "getSymbols", "id": 1})
    for _ in range(120):
        clock.advance(1.0)
    browser.protocol.resumeProducing()
    clock.advance(0.2)
    opcodes = [opcode for opcode, _ in browser.frames()]
    assert opcodes[0] == 1 and set(opcodes[1:]) == {9}


def test_a_client_that_vanishes_in_the_middle_leaves_nothing(server: Server, clock: Clock) -> None:
    """The connection is lost while the answer waits."""
    browser: Browser = server.browser(JSON)
    browser.protocol.pauseProducing()
    browser.say({"type": "getSymbols", "id": 1}, {"type": "ping"})
    browser.vanish()
    clock.advance(60.0)
    assert len(server.factory) == 0 and not server.hub.fanout.behind
