"""Clients that read slowly, or want less than every tick: conflation, rates, pauses, and the bounds of what waits."""

from twisted.internet.task import Clock

from tests.support.relay import Relay
from tests.support.v1 import last_seq
from tickrelay.config.settings import RelaySettings
from tickrelay.model.errors import CloseCode


def test_a_stalled_client_gets_the_newest_of_each_symbol_in_one_write(relay: Relay) -> None:
    """While behind it gets no tick; when drained one frame a symbol, the newest, with the count of conflated ones."""
    client = relay.client("EURUSD", "GBPUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn()
    client.take()
    client.stall()
    for n in range(100):
        relay.spot("EURUSD", 108_001 + n)
        relay.spot("GBPUSD", 130_001 + n)
        relay.turn(0.01)
    assert client.writes == 1
    client.read()
    messages = client.take()
    # The first frames were in the transport when it stalled; the rest is conflated into one each.
    assert [(m["symbol"], m["seq"], m.get("conflated", 0)) for m in messages] == [
        ("EURUSD", 2, 0),
        ("GBPUSD", 1, 0),
        ("EURUSD", 101, 98),
        ("GBPUSD", 100, 98),
    ]
    sends = client.sends
    relay.spot("EURUSD", 109_000)
    relay.turn(0.01)
    assert client.sends == sends + 1  # back in the fast lane
    assert client.take()[0]["seq"] == 102


def test_a_stuck_client_is_closed_and_others_never_notice(clock: Clock) -> None:
    """Nothing drained within the timeout: closed as a slow consumer; a healthy client's stream is not affected."""
    relay = Relay(clock, RelaySettings(stuck_timeout_s=30.0))
    stuck, healthy = relay.client("EURUSD"), relay.client("EURUSD")
    stuck.stall()
    for n in range(40):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(1.0)
        relay.hub.fanout.sweep()
    assert stuck.closed == [CloseCode.SLOW_CONSUMER]
    assert healthy.closed == []
    assert [m["seq"] for m in healthy.take()] == list(range(1, 41))


def test_a_slow_client_that_drains_is_not_stuck(clock: Clock) -> None:
    """A client that takes a long answer little by little makes progress and stays."""
    relay = Relay(clock, RelaySettings(stuck_timeout_s=30.0))
    client = relay.client()
    client.stall()
    client.outbox.write(b"\x81\x02{}" * 200_000)
    for _ in range(10):
        relay.turn(20.0)
        client.read(70_000)
        relay.hub.fanout.sweep()
    assert client.closed == []


def test_answers_to_a_client_that_never_reads_are_bounded(clock: Clock) -> None:
    """Frames of its own are queued up to the bound, then the client is closed."""
    relay = Relay(clock, RelaySettings(max_queued_bytes=100_000))
    client = relay.client()
    client.stall()
    for _ in range(200):
        client.outbox.write(b"x" * 1_000)
    assert client.closed[0] == CloseCode.SLOW_CONSUMER
    assert client.outbox.queued_bytes < 200_000


def test_no_encoding_without_a_subscriber_that_listens(relay: Relay) -> None:
    """Ticks of a symbol whose clients are all behind are not encoded: no lane has sent anything."""
    client = relay.client("EURUSD")
    client.stall()
    relay.spot("EURUSD", 108_000)
    relay.turn()
    sent = [lane.bytes for lane in relay.hub.fanout.groups.values()]
    for n in range(10):
        relay.spot("EURUSD", 108_001 + n)
        relay.turn(0.1)
    assert [lane.bytes for lane in relay.hub.fanout.groups.values()] == sent


def test_rate_limited_clients_get_the_newest_at_their_pace(relay: Relay) -> None:
    """maxRate 5: five ticks a second, each with the count of those conflated into it."""
    client = relay.client("EURUSD", rate=5.0)
    for n in range(100):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.01)
    relay.turn(0.2)
    ticks = client.take()
    assert 4 <= len(ticks) <= 6
    assert last_seq(ticks) == 100


def test_a_paused_client_gets_nothing_and_then_the_newest(relay: Relay) -> None:
    """While paused it gets no tick; when resumed one frame a symbol that moved."""
    client = relay.client("EURUSD", "GBPUSD")
    relay.hub.set_paused(client.subscriber, True)
    for n in range(10):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.1)
    assert client.take() == []
    relay.hub.set_paused(client.subscriber, False)
    assert [(m["seq"], m["conflated"]) for m in client.take()] == [(10, 9)]


def test_joining_between_tick_and_flush_gives_no_tick_twice(relay: Relay) -> None:
    """A client that leaves and joins a cohort while ticks wait sees each of them once."""
    client = relay.client("EURUSD")
    relay.spot("EURUSD", 108_000)
    relay.turn()
    relay.spot("EURUSD", 108_001)
    relay.subscribe(client, "GBPUSD")
    relay.spot("EURUSD", 108_002)
    relay.turn(0.1)
    assert [m["seq"] for m in client.take()] == [1, 2, 3]
