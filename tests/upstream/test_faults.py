"""Faults of the network and of a server that hangs: each is detected within its deadline and recovered from."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from OpenSSL import SSL

from twisted.internet.error import ConnectionLost

from tests.support.frames import length_prefixed
from tests.support.rig import Rig


@pytest.mark.parametrize("how", ["reset", "finish"])
def test_rst_and_fin(rig: Rig, how: str) -> None:
    """A reset and an orderly close are reported at once; the session is live again within two seconds."""
    rig.go_live("EURUSD", "GBPUSD")
    getattr(rig.connection, how)()
    assert rig.status == "disconnected"
    rig.recovered("EURUSD", "GBPUSD", limit_s=2)


def test_hang_before_tcp(rig: Rig) -> None:
    """A connection that is not established is given up after the connect deadline and tried again without end."""
    rig.net.reachable = False
    rig.service.startService()
    rig.run(14.9, 0.1)
    assert len(rig.net.attempts) == 1
    rig.run(120, 0.1)
    assert len(rig.net.attempts) >= 5
    assert rig.status == "ctrader-connecting"
    rig.net.reachable = True
    rig.recovered()


def test_hang_after_tcp(rig: Rig) -> None:
    """TLS that never completes: nothing is written, the connection ends after the connect deadline."""
    rig.net.tls = False
    rig.service.startService()
    rig.run(14.9, 0.1)
    assert len(rig.net.open) == 1
    rig.run(0.3, 0.1)
    assert rig.connection is rig.net.connections[0] and not rig.net.open
    assert rig.counters.requests == 0
    assert "no TLS connection to demo.ctraderapi.com:5035 within 15 s" in rig.messages
    rig.net.tls = True
    rig.recovered()


def test_a_certificate_that_is_not_trusted(rig: Rig) -> None:
    """An error that names the remedy; at least 30 s between tries; no credentials sent; recovers by itself."""
    rig.net.tls = False
    rig.service.startService()
    for _ in range(3):
        rig.until(lambda: rig.net.open, 1000, 0.1)
        untrusted = SSL.Error([("SSL routines", "", "certificate verify failed")])
        rig.connection.end(untrusted, ConnectionLost())
        assert rig.status == "error" and "is not trusted" in rig.message
    waits = [b - a for a, b in pairwise(rig.net.attempts)]
    assert waits[0] >= 30 and waits[1] >= 60
    assert rig.counters.requests == 0
    rig.net.tls = True
    rig.until(lambda: rig.state == "live", 1000, 0.1)
    assert rig.status == "connected"


def test_refused_connections_are_retried_with_growing_waits(rig: Rig) -> None:
    """Full jitter under a ceiling that doubles from half a second to a minute, without end."""
    rig.net.refuses = True
    rig.service.startService()
    rig.run(3600, 0.5)
    waits = [b - a for a, b in pairwise(rig.net.attempts)]
    assert max(waits[:2]) <= 1.6
    assert max(waits) <= 61
    assert max(waits) > 30, "the ceiling was reached"
    assert len(waits) > 60, "a mean of half the ceiling"
    rig.net.refuses = False
    rig.recovered()


@pytest.mark.parametrize(
    ("request_name", "state"),
    [
        ("ProtoOAApplicationAuthReq", "application-auth"),
        ("ProtoOAAccountAuthReq", "account-auth"),
        ("ProtoOASymbolsListReq", "symbols"),
        ("ProtoOASymbolByIdReq", "symbols"),
        ("ProtoOASubscribeSpotsReq", "restoring"),
    ],
)
def test_an_answer_that_never_comes(rig: Rig, request_name: str, state: str) -> None:
    """Each request has a deadline of ten seconds; after it the connection is made anew."""
    rig.hang(request_name)
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.until(lambda: rig.state == state)
    rig.run(9.9)
    assert rig.state == state
    rig.until(lambda: rig.state in ("waiting", "connecting"), 0.2)
    assert rig.counters.request_timeouts == 1
    assert f"{request_name} was not answered within 10 s" in rig.messages
    rig.hang(request_name, False)
    rig.recovered("EURUSD")


def test_a_server_that_answers_nothing_at_all(rig: Rig) -> None:
    """After TLS nothing arrives: the deadline of the first request ends the connection."""
    rig.dependencies.active_faults.half_open = True
    rig.service.startService()
    rig.run(10.5, 0.05)
    assert len(rig.net.connections) >= 1 and rig.counters.request_timeouts == 1
    rig.dependencies.active_faults.half_open = False
    rig.recovered()


def test_the_whole_way_has_a_deadline(make_rig: Callable[..., Rig]) -> None:
    """A server that answers each request just in time cannot delay live without end."""
    rig = make_rig(rules={"latency_s": 9.0}, request_timeout_s=30.0, live_timeout_s=20.0)
    rig.service.startService()
    rig.run(19, 0.1)
    assert len(rig.net.connections) == 1 and rig.net.open
    rig.run(2, 0.1)
    assert "not live within 20 s" in rig.messages


def test_half_open(rig: Rig) -> None:
    """A connection on which nothing arrives any more is detected within 90 s and replaced."""
    rig.go_live("EURUSD")
    rig.run(5)
    rig.connection.black_hole = True
    took = rig.until(lambda: rig.status == "disconnected", 90, 0.1)
    assert 60 <= took <= 90
    assert rig.listener.lost[-1] == ("upstream-disconnect", None)
    rig.recovered("EURUSD")
    assert rig.connection.keep_alive


def test_a_quiet_but_healthy_link_stays(make_rig: Callable[..., Rig]) -> None:
    """Without spots and server heartbeats the link is probed, and the connection stays."""
    rig = make_rig(rules={"heartbeat_s": 100_000.0})
    rig.go_live()
    rig.run(1800, 0.5)
    assert len(rig.net.attempts) == 1
    assert rig.counters.losses == 0


def test_heartbeats_every_ten_seconds(rig: Rig) -> None:
    """The server closes a client that sends nothing for 30 s."""
    rig.go_live()
    rig.run(120, 0.1)
    beats = rig.sent("ProtoHeartbeatEvent")
    assert len(beats) >= 11
    assert all(9.9 < b - a < 10.2 for a, b in pairwise(beats))
    assert rig.counters.losses == 0


def test_heartbeats_are_not_echoed(rig: Rig) -> None:
    """The server's heartbeats are counted and never answered."""
    rig.go_live()
    before = len(rig.sent("ProtoHeartbeatEvent"))
    for _ in range(50):
        rig.connection.inject(length_prefixed(b"\x08\x33"))
        rig.connection.inject(length_prefixed(b"\x08\x33\x12\x00"))
    rig.run(1)
    assert rig.counters.heartbeats >= 100
    assert len(rig.sent("ProtoHeartbeatEvent")) - before <= 1


def test_wait_begins_small_again_only_after_being_stable(rig: Rig) -> None:
    """A server that accepts and soon drops: the ceiling of the wait grows until a session has lasted 30 s."""
    rig.go_live()
    waits = []
    for _ in range(8):
        rig.run(1)
        rig.connection.reset()
        waits.append(rig.until(lambda: rig.state == "live", 100))
    assert max(waits) > 5
    rig.run(31)
    rig.connection.reset()
    assert rig.until(lambda: rig.state == "live", 100) < 1


def test_wall_clock_steps_change_nothing(rig: Rig) -> None:
    """The wall clock jumps an hour forth and back: no timer changes, no false alarm."""
    rig.go_live("EURUSD")
    for step in (3600, -7200, 3600):
        rig.wall_offset_s += step
        rig.run(120, 0.1)
    assert rig.counters.losses == 0 and rig.counters.stale_feeds == 0
    assert len(rig.sent("ProtoHeartbeatEvent")) in range(35, 38)


@pytest.mark.parametrize("delay_ms", range(0, 40, 2))
def test_stopping_in_every_state(make_rig: Callable[..., Rig], delay_ms: int) -> None:
    """The service stops, leaves no connection and makes no further try; it can be started again."""
    rig = make_rig(rules={"latency_s": 0.003}, simulator={"symbols": ("EURUSD",)})
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.run(delay_ms / 1000, 0.001)
    done: list[object] = []
    rig.service.stopService().addCallback(done.append)
    rig.run(4, 0.1)
    assert done and not rig.net.open and rig.state == "stopped"
    attempts = len(rig.net.attempts)
    rig.run(70, 10)
    assert len(rig.net.attempts) == attempts
    rig.service.startService()
    rig.until(lambda: rig.state == "live" and rig.upstream_set() == {"EURUSD"})
