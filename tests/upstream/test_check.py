"""`--check`: one line a step, with the error and its remedy, and the exit status."""

from collections.abc import Callable
from typing import Any

import pytest

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError

from tests.support.rig import Rig
from tickrelay.cli.check import Check
from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings

Run = Callable[..., tuple[int, list[str]]]
"""Runs a check; its exit status and lines."""


@pytest.fixture
def check(make_rig: Callable[..., Rig]) -> Run:
    """Runs a check against a simulator; keywords are settings. Returns the status and the lines."""

    def run(
        rig: Rig | None = None,
        resolve: Callable[[str], Deferred[str]] = lambda _: succeed("192.0.2.1"),
        **settings: Any,
    ) -> tuple[int, list[str]]:
        rig = rig or make_rig()
        values: dict[str, Any] = {
            "client_id": "sim",
            "client_secret": Secret("sim-secret"),
            "access_token": Secret("sim-token"),
            "account_id": 1001,
            **settings,
        }
        lines: list[str] = []
        done: list[int] = []
        one = Check(
            CTraderSettings(**values),
            rig.clock,
            rig.time,
            say=lines.append,
            resolve=resolve,
            connect=rig.net.connect,
        )
        Deferred.fromCoroutine(one.run()).addCallback(done.append)
        rig.until(lambda: done, 60, 0.05)
        assert not rig.net.open
        assert not [line for line in lines if "sim-" in line]
        return done[0], lines

    return run


def names(lines: list[str]) -> list[str]:
    """The names of the steps that succeeded."""
    return [line[8:20].strip() for line in lines if line.startswith("ok ")]


STEPS = ["DNS", "TLS", "application", "account", "scope", "symbols", "first spot"]


def test_all_is_well(check: Run) -> None:
    """Seven lines, status 0, the connection closed."""
    status, lines = check()
    assert status == 0 and names(lines) == STEPS
    assert lines[-1].startswith("ok      first spot   EURUSD 1.0")


@pytest.mark.parametrize(
    ("settings", "well", "mend"),
    [
        ({"client_secret": Secret("x")}, 2, "CTRADER_CLIENT_SECRET"),
        ({"access_token": Secret("x")}, 3, "CTRADER_ACCESS_TOKEN"),
        ({"account_id": 4}, 3, "it opens 1001"),
        (
            {"account_id": 2001, "host": "demo.ctraderapi.com"},
            3,
            "account 2001 is live; this host serves demo accounts (CANT_ROUTE_REQUEST): set CTRADER_HOST=live.ctrad",
        ),
        ({"account_id": 2001, "host": "broker.example"}, 3, "account 2001 is live and not served by broker.example"),
    ],
)
def test_what_is_wrong_and_how_to_mend_it(check: Run, settings: dict[str, Any], well: int, mend: str) -> None:
    """The first step that fails is the last line; the status is 1."""
    status, lines = check(**settings)
    assert status == 1 and names(lines) == STEPS[:well] and len(lines) == well + 1
    assert lines[-1].startswith("FAILED  ") and mend in lines[-1]


def test_no_such_host(check: Run) -> None:
    """A name that does not resolve is reported before anything connects."""
    status, lines = check(resolve=lambda _: fail(DNSLookupError()))
    assert status == 1 and lines[0].startswith("FAILED  DNS") and "CTRADER_HOST" in lines[0]


def test_nobody_listens(check: Run, make_rig: Callable[..., Rig]) -> None:
    """A refused connection is reported with host and port."""
    rig = make_rig()
    rig.net.refuses = True
    status, lines = check(rig)
    assert status == 1 and "cannot connect to demo.ctraderapi.com:5035" in lines[-1]


def test_tls_that_hangs(check: Run, make_rig: Callable[..., Rig]) -> None:
    """The connect deadline ends it."""
    rig = make_rig()
    rig.net.tls = False
    status, lines = check(rig)
    assert status == 1 and lines[-1].startswith("FAILED  TLS")


def test_no_spot(check: Run, make_rig: Callable[..., Rig]) -> None:
    """The step fails after ten seconds without a spot."""
    rig = make_rig()
    rig.dependencies.active_faults.silent_ticks = True
    status, lines = check(rig)
    assert status == 1 and "no spot of EURUSD within 10 s" in lines[-1]


def test_a_shut_market_is_no_fault(check: Run, make_rig: Callable[..., Rig]) -> None:
    """On a Saturday the last price is enough, and the line says that the market is closed."""
    rig = make_rig(simulator={"schedule": "real", "symbols": ("EURUSD",)}, start_s=1_763_812_800.0)
    status, lines = check(rig)
    assert status == 0 and "market is shut" in lines[-1]
