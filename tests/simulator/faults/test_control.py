"""The control endpoint, without a socket."""

import json
from typing import Any

import pytest

from twisted.web.test.requesthelper import DummyRequest

from tests.support.broker import Broker, Peer
from tickrelay.simulator.faults.control import Control
from tickrelay.simulator.faults.faults import Faults


@pytest.fixture
def control(broker: Broker) -> Control:
    """The endpoint of the broker."""
    return Control(broker.broker, Faults(broker.broker, broker.clock))


def ask(control: Control, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    """One request: the status and the answer."""
    import io

    request = DummyRequest([part for part in path.encode().split(b"/") if part])
    request.method = method.encode()
    request.content = io.BytesIO(body)
    request.requestHeaders.setRawHeaders("host", ["127.0.0.1:8000"])
    for name, value in headers.items():
        request.requestHeaders.setRawHeaders(name, [value])
    resource = control.getChildWithDefault(request.postpath[0], request) if request.postpath else control
    answer = resource.render(request)
    return request.responseCode or 200, answer


def test_orders(control: Control, trader: Peer) -> None:
    """POST runs statements, GET lists the faults that are active, DELETE ends them."""
    code, answer = ask(control, "POST", "/faults", b"hang account-auth for 20s; drop")
    assert (code, json.loads(answer)) == (200, {"done": ["hang account-auth for 20s", "drop"]})
    assert trader.wire.ended() == "closed"
    assert json.loads(ask(control, "GET", "/faults")[1]) == {"faults": ["hang account-auth for 20s"]}
    assert json.loads(ask(control, "DELETE", "/faults")[1]) == {"faults": []}


def test_a_bad_order_is_refused(control: Control) -> None:
    """400, with what is wrong."""
    code, answer = ask(control, "POST", "/faults", b"dorp")
    assert code == 400
    assert "dorp" in json.loads(answer)["error"]
    assert ask(control, "POST", "/faults", b"#" * 70_000)[0] == 400


def test_the_state(control: Control, trader: Peer) -> None:
    """The connections, the active faults and the names of all faults."""
    state = json.loads(ask(control, "GET", "/")[1])
    assert state["connections"] == [{"number": 1, "application": True, "accounts": [1001]}]
    assert "half-open" in state["known_faults"]


@pytest.mark.parametrize("headers", [{"origin": "https://example.com"}, {"host": "rebound.example.com:80"}])
def test_web_pages_are_refused(control: Control, trader: Peer, headers: dict[str, str]) -> None:
    """A page in a browser cannot order faults, under any host name."""
    assert ask(control, "POST", "/faults", b"drop", **headers)[0] == 403
    assert not trader.wire.ended()
