"""Wrong tokens, over and over: refused late, without a further guess on the same connection, and at nobody's cost."""

import hashlib
import json
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON
from tickrelay.admission.guesses import ALLOWANCE, MAX_DELAY_S, PERIOD_S
from tickrelay.downstream.tokens import Tokens

RIGHT = {"type": "connect", "protocol": 1, "token": "right"}
WRONG = {"type": "connect", "protocol": 1, "id": 1, "token": "wrong"}


@pytest.fixture
def server(clock: Clock) -> Server:
    """A relay that needs a token."""
    server = Server(clock, ping_interval_s=0.0)
    server.factory.tokens = Tokens([hashlib.sha256(b"right").digest()])
    server.go_live()
    return server


def guess(server: Server, request: dict[str, Any], address: str = "192.0.2.1") -> Browser:
    """A connection that shows a token in its first request."""
    browser = Browser(server, address)
    browser.open(JSON)
    browser.say(request)
    return browser


def outcome(browser: Browser) -> list[Any]:
    """Types of the messages, and codes of the close frames."""
    return [
        int.from_bytes(data[:2], "big") if opcode == 8 else json.loads(data)["type"]
        for opcode, data in browser.frames()
    ]


def test_a_guesser_waits_for_each_refusal(server: Server, clock: Clock) -> None:
    """The first ten are refused at once, the others one after another."""
    assert all(outcome(guess(server, WRONG)) == ["error", 4501] for _ in range(ALLOWANCE))
    late = [guess(server, WRONG) for _ in range(3)]
    for number in range(3):
        assert [outcome(browser) for browser in late[number:]] == [[]] * (3 - number)
        clock.advance(PERIOD_S)
        assert outcome(late[number]) == ["error", 4501]
    assert server.factory.refusals.counts["token"] == ALLOWANCE + 3


def test_a_valid_token_of_the_same_address_is_accepted_at_once(server: Server, clock: Clock) -> None:
    """Nobody is locked out by a neighbour behind the same address translation; nor does another address wait."""
    for _ in range(50):
        guess(server, WRONG).vanish()
    assert outcome(guess(server, RIGHT)) == ["status"]
    assert outcome(guess(server, WRONG, "198.51.100.1")) == ["error", 4501]


def test_a_connection_that_waits_for_its_refusal_can_guess_no_more(server: Server, clock: Clock) -> None:
    """Nothing that it sends meanwhile is looked at, not even the right token."""
    for _ in range(ALLOWANCE):
        guess(server, WRONG)
    late = guess(server, WRONG)
    for _ in range(20):
        late.say(WRONG, RIGHT, {"type": "ping"})
    assert outcome(late) == []
    assert outcome(guess(server, WRONG)) == []
    clock.advance(PERIOD_S)
    assert outcome(late) == ["error", 4501]
    assert server.factory.refusals.counts["token"] == ALLOWANCE + 1


def test_a_refusal_comes_within_a_bounded_time(server: Server, clock: Clock) -> None:
    """However many guesses came before; one whose connection is gone is not refused any more."""
    for _ in range(100):
        guess(server, WRONG).vanish()
    late = guess(server, WRONG)
    clock.advance(MAX_DELAY_S - 1)
    assert outcome(late) == []
    clock.advance(1)
    assert outcome(late) == ["error", 4501]
    assert server.factory.refusals.counts["token"] == ALLOWANCE + 1


def test_a_malformed_token_is_no_guess(server: Server) -> None:
    """Nothing was compared: it is refused at once, as a client's mistake."""
    for _ in range(ALLOWANCE + 5):
        assert outcome(guess(server, {"type": "connect", "protocol": 1, "token": ""})) == ["error", 4501]
    assert outcome(guess(server, WRONG)) == ["error", 4501]
