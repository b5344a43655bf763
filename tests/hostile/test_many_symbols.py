"""The largest account: fifty thousand symbols."""

import time
from pathlib import Path

import pytest

from tests.hostile.conftest import FULL
from tests.hostile.feed import symbol_name
from tests.hostile.innocent import Innocent, Target
from tests.hostile.pump import Pump
from tests.hostile.rig import stage

MANY = 50_000


@pytest.mark.skipif(not FULL, reason="the relay takes half a minute to load so many symbols: HOSTILE=full")
@pytest.mark.parametrize("dialect", ["json", "protobuf"])
def test_all_symbols_arrive(tmp_path: Path, dialect: str) -> None:
    """``getSymbols`` describes every one to a client that reads, which is not closed; others are not delayed."""
    with stage("plain", tmp_path, symbols=MANY, clients=10) as there:
        client = Innocent(Target(there.port), "127.0.0.1", [symbol_name(1)], dialect, counted=True)
        with Pump(client) as pump:
            pump.until(lambda: client.checker.ticks > 3)
            there.innocents.report()
            for _ in range(3):
                client.answers.pop("symbols", None)
                client.say(type="getSymbols")
                pump.until(lambda: "symbols" in client.answers)
                assert len(client.answers["symbols"]["symbols"]) == MANY
            time.sleep(1.0)
            assert client.closes == [] and client.checker.faults + client.faults == []
        report = there.innocents.report()
        assert (report["faults"], report["closes"], report["gaps"]) == (0, 0, 0), report["shown"]
        assert report["phases"]["rest"]["trip"]["p99"] < 500
