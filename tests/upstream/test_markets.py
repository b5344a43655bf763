"""A market that closes and opens again, from the broker to a v1 client."""

from collections.abc import Callable
from typing import Any

from tests.support.browser import Server
from tests.support.rig import Rig
from tests.support.v1 import JSON
from tickrelay.simulator.faults.faults import Faults

START_S = 1_767_225_600.0
"""Where the clients' side has its clock begin (`tests.support.relay.HubTime`)."""


def test_a_closed_market_reaches_the_clients(make_rig: Callable[..., Rig]) -> None:
    """``marketState`` says closed and open again, ``explain`` gives the reason, and the session takes no alarm."""
    rig = make_rig(start_s=START_S)
    server = Server(rig.clock, ping_interval_s=3600.0)
    server.hub.feed = rig.service
    rig.listener.also = server.hub
    rig.service.startService()
    rig.until(lambda: rig.state == "live")
    client = server.browser(JSON)
    client.say(
        {"type": "connect", "protocol": 1, "features": ["marketState"]}, {"type": "subscribe", "symbols": ["EURUSD"]}
    )
    heard: list[dict[str, Any]] = []

    def run(seconds: int) -> None:
        for _ in range(seconds):
            rig.run(1, 0.1)
            server.factory.jobs.run()
        heard.extend(message for message in client.hear() if message["type"] == "marketState")

    def reason() -> tuple[str, str]:
        client.hear()
        client.say({"type": "explain", "symbol": "EURUSD"})
        (answer,) = [message for message in client.hear() if message["type"] == "explanation"]
        return answer["marketState"], answer["reason"]

    def quotes() -> bool:
        state, why = reason()
        return state == "open" and why.startswith("Nothing is wrong: the newest tick is ")

    run(20)
    assert heard == [] and quotes()
    faults = Faults(rig.dependencies, rig.clock)
    faults.run("markets-closed")
    run(6)
    assert [(m["symbol"], m["state"]) for m in heard] == [("EURUSD", "closed")]
    run(1800)
    assert reason() == ("closed", "The market is closed")
    faults.clear()
    run(6)
    assert [m["state"] for m in heard] == ["closed", "open"]
    run(20)
    assert quotes()
    assert len(rig.net.connections) == 1 and rig.counters.stale_feeds == 0 and rig.counters.stale_symbols == 0
