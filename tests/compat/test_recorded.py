"""What a client of 26.11.0 asked, it asks again: it is answered as it was then, and is closed when it was then."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.compat.playing import play
from tests.compat.relays import Relay, relays

HERE = Path(__file__).parent

TALKS: list[dict[str, Any]] = json.loads((HERE / "recording.json").read_text(encoding="utf-8"))

SOONER_S, LATER_S = 0.5, 5.0
"""By how much a close may come before and after its recorded time: clients time out, and test machines are slow."""

LONG = ("token: not shown in time", "v1 in JSON: a heartbeat", "v1 in Protobuf: a heartbeat")

ANYTHING = "<anything>"

UNAUTHORIZED = {"type": "error", "code": "UNAUTHORIZED", "message": "Token expected", "fatal": True}


class Deviation(NamedTuple):
    """What is meant to be another now. Step by step; ANYTHING stands for any value."""

    why: str
    """In the words of a user of the client."""
    answers: dict[int, list[Any]]


DEVIATIONS: dict[str, Deviation] = {
    "address: three are its share": Deviation(
        "4504 told a client never to come back though places get free; 1013 says when to try again",
        {0: [*[{"type": "pong"}] * 3, *[{"closed": 1013, "reason": "<retry in N s>", "afterS": 0.0}] * 2]},
    ),
    "origin: another one is refused": Deviation(
        "a page in a browser cannot see an HTTP status: it retried for ever, where 4503 tells it not to",
        {0: [{"opened": None}], 1: [{"closed": 4503, "reason": ANYTHING, "afterS": 0.0}]},
    ),
    **dict.fromkeys(
        (
            "a subprotocol that is mistyped: basic without one",
            "a subprotocol of another program: basic without one",
        ),
        Deviation(
            "a browser fails a connection whose subprotocol nobody took, with 1006; 4502 says what is wrong",
            {0: [{"opened": ANYTHING}], 1: [{"closed": 4502, "reason": ANYTHING, "afterS": 0.0}]},
        ),
    ),
    "basic: another number of the protocol is basic": Deviation(
        "who asked for a version that the relay does not speak was answered in basic, which it did not ask for",
        {
            1: [
                {"type": "error", "code": "BAD_REQUEST", "message": "protocol: expected 1", "fatal": True},
                {"closed": 4502, "reason": "unknown protocol", "afterS": 0.0},
            ],
            2: [{"closed": 4502, "reason": "unknown protocol", "afterS": 0.0}],
        },
    ),
    "token: no base64url in the subprotocol": Deviation(
        "a token that cannot be read was called missing; the words say now what is wrong with it",
        {1: [{**UNAUTHORIZED, "message": ANYTHING}, {"closed": 4501, "reason": ANYTHING, "afterS": 0.0}]},
    ),
    "token: none, and another request first, v1": Deviation(
        "a missing token was called a refused one in the close reason",
        {1: [{**UNAUTHORIZED, "id": 1}, {"closed": 4501, "reason": "token expected", "afterS": 0.0}]},
    ),
    "outage: statuses, a gap, ticks again; then the relay stops": Deviation(
        "the documentation promised a last status before the close, and none came",
        {
            6: [
                {"type": "notice", "code": "SERVER_DRAINING", "message": "restart", "reconnectMs": ANYTHING},
                {"type": "status", "status": "disconnected", "availableSymbols": [], "feed": {"state": "stopped"}},
                {"closed": 1012, "reason": "service restart", "afterS": 0.3},
            ]
        },
    ),
    "token: none, and another request first, basic": Deviation(
        "a missing token was called a refused one in the close reason",
        {1: [{"closed": 4501, "reason": "token expected", "afterS": 0.0}]},
    ),
}
"""Every intended change for clients of 26.11.0 that is not an addition."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[list[Any]]]]:
    """All conversations, begun at once but for those that share a limit."""
    with (
        relays(tmp_path_factory.mktemp("compat")) as found,
        ThreadPoolExecutor(16) as many,
        ThreadPoolExecutor(1) as one,
    ):

        def held(talk: dict[str, Any]) -> Future[list[Any]]:
            relay: Relay = found[talk["relay"]]
            pool = one if talk["relay"] == "narrow" else many
            return pool.submit(play, talk, relay.url, relay.order, relay.stop)

        # The long ones first: they wait, while the others take their turns.
        talks = sorted(TALKS, key=lambda talk: not talk["about"].startswith(LONG))
        yield {talk["about"]: held(talk) for talk in talks}


def covers(then: Any, now: Any) -> bool:
    """Does *now* say all that *then* said? More fields are no difference to a client, which ignores them."""
    if then == ANYTHING:
        return True
    if then == "<retry in N s>":
        return isinstance(now, str) and now.startswith("retry in ")
    if isinstance(then, dict):
        if not isinstance(now, dict) or not then.keys() <= now.keys():
            return False
        if "afterS" in then and not then["afterS"] - SOONER_S <= now["afterS"] <= then["afterS"] + LATER_S:
            return False
        return all(covers(then[name], now[name]) for name in then if name != "afterS")
    if isinstance(then, list):
        return isinstance(now, list) and len(then) == len(now) and all(map(covers, then, now))
    return bool(then == now)


@pytest.mark.integration
@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk["about"])
def test_a_client_of_26_11_0_is_answered_as_it_was(talk: dict[str, Any], answers: dict[str, Future[list[Any]]]) -> None:
    """Step by step: the recorded answers and closes in their order, or what the table of deviations has instead."""
    deviation = DEVIATIONS.get(talk["about"])
    found = answers[talk["about"]].result(timeout=60)
    for number, (step, now) in enumerate(zip(talk["steps"], found, strict=True)):
        expected = deviation.answers.get(number, step["answers"]) if deviation else step["answers"]
        if not covers(expected, now):
            pytest.fail(
                f"step {number}, {json.dumps(step)}\nis answered now with {json.dumps(now, ensure_ascii=False)}"
            )


def test_every_deviation_is_of_a_conversation() -> None:
    """The table names conversations that were recorded, and says why."""
    assert set(DEVIATIONS) <= {talk["about"] for talk in TALKS}
    assert all(deviation.why for deviation in DEVIATIONS.values())


def test_the_client_has_nothing_of_the_relay() -> None:
    """It could not stand for the clients of others if it changed with the relay."""
    for path in (HERE / "client.py", HERE / "schema.py"):
        assert not re.search(r"^\s*(from|import) tickrelay", path.read_text(), re.MULTILINE), path


def test_more_is_no_difference_and_less_is() -> None:
    """The comparison itself."""
    assert covers({"a": [1]}, {"a": [1], "b": 2})
    assert not covers({"a": [1], "b": 2}, {"a": [1]})
    assert not covers({"a": [1]}, {"a": [1, 2]})
    assert covers({"closed": 1, "afterS": 10.0}, {"closed": 1, "afterS": 11.0})
    assert not covers({"closed": 1, "afterS": 10.0}, {"closed": 1, "afterS": 1.0})
