"""Large messages go out in chunks of shared bytes, whole, in order, and beside the limit of what may be queued."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.task import Clock

from tests.support.frames import take_frames
from tests.support.relay import FakeClient, Relay, TlsClient
from tickrelay.config.settings import RelaySettings
from tickrelay.model.errors import CloseCode
from tickrelay.relay.outbox import CHUNK_BYTES, LARGE_BYTES
from tickrelay.wire import frames

KINDS = pytest.mark.parametrize("kind", [FakeClient, TlsClient])
BODY = bytes(range(256)) * 40_000


def message(body: bytes = BODY) -> tuple[bytes, ...]:
    """A message of 10 MB in three pieces, of which the second is shared."""
    return (frames.header(len(body) + 2, True) + b"<", body, b">")


def payloads(client: FakeClient) -> list[bytes]:
    """What the client has received whole."""
    return [payload for _, payload in take_frames(client.received)]


@KINDS
def test_a_large_message_is_whole_and_then_ticks_go_on(clock: Clock, kind: type[FakeClient]) -> None:
    """No frame stands inside of it; the ticks of meanwhile come as one, the newest, and every one is accounted for."""
    relay = Relay(clock, RelaySettings(max_queued_bytes=100_000))
    client = relay.client("EURUSD", kind=kind)
    other = relay.client("EURUSD")
    client.stall()
    client.outbox.write_pieces(message())
    client.outbox.write(b"\x89\x00")
    for n in range(50):
        relay.spot("EURUSD", 108_000 + n)
        relay.turn(0.01)
        client.read(30_000)
    assert client.outbox.large_bytes > 0 and client.closed == []
    client.read()
    assert client.outbox.large_bytes == client.outbox.queued_bytes == 0
    large, ping, tick = payloads(client)
    assert (large, ping) == (b"<" + BODY + b">", b"")
    assert b'"seq":50' in tick and b'"conflated":49' in tick
    assert [m["seq"] for m in other.take()] == list(range(1, 51))
    relay.spot("EURUSD", 109_000)
    relay.turn(0.01)
    assert len(payloads(client)) == 1


@KINDS
def test_the_bytes_are_shared(clock: Clock, kind: type[FakeClient]) -> None:
    """What twenty clients hold that read nothing is one message, and a chunk or two for each."""
    relay = Relay(clock)
    clients = [relay.client(kind=kind) for _ in range(20)]
    for client in clients:
        client.stall()
    pieces = message()
    tracemalloc.start()
    for client in clients:
        client.outbox.write_pieces(pieces)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20 * 3 * CHUNK_BYTES
    for client in clients:
        client.read()
        assert payloads(client) == [b"<" + BODY + b">"]


@KINDS
def test_a_second_large_message_counts(clock: Clock, kind: type[FakeClient]) -> None:
    """One at a time is free; whoever makes a second one wait is closed as before."""
    relay = Relay(clock, RelaySettings(max_queued_bytes=1_000_000))
    client = relay.client(kind=kind)
    client.stall()
    client.outbox.write_pieces(message())
    assert client.closed == []
    client.outbox.write_pieces(message())
    assert client.closed == [CloseCode.SLOW_CONSUMER]


def test_a_small_message_in_pieces_is_sent_at_once(clock: Clock) -> None:
    """As any other, in one send."""
    relay = Relay(clock)
    client = relay.client()
    client.outbox.write_pieces((frames.header(2, True), b"a", b"b"))
    assert payloads(client) == [b"ab"] and client.sends == 1 and client.writes == 0


WRITES = st.tuples(st.just("write"), st.sampled_from((1, 100, CHUNK_BYTES, LARGE_BYTES - 9, LARGE_BYTES + 1, 700_000)))
READS = st.tuples(st.just("read"), st.sampled_from((1, 1_000, 65_536, 300_000, 5_000_000)))


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(WRITES | READS, max_size=20), tls=st.booleans())
def test_frames_of_any_size_keep_their_order(steps: list[tuple[str, int]], tls: bool) -> None:
    """Whatever is written and read in between, the client gets each frame once, whole, in order."""
    relay = Relay(Clock(), RelaySettings(max_queued_bytes=1_000_000_000))
    client = relay.client(kind=TlsClient if tls else FakeClient)
    client.stall()
    sent: list[bytes] = []
    for step, size in steps:
        if step == "write":
            payload = bytes([len(sent)]) * size
            sent.append(payload)
            client.outbox.write(frames.binary(payload))
        else:
            client.read(size)
    client.read()
    assert payloads(client) == sent
    assert client.outbox.queued_bytes == client.outbox.large_bytes == 0


def test_a_client_that_the_kernel_says_reads_is_not_stuck(clock: Clock) -> None:
    """Less than a chunk in the stuck timeout is progress; nothing at all is not."""
    relay = Relay(clock, RelaySettings(stuck_timeout_s=30.0))
    slow, stuck = relay.client("EURUSD"), relay.client("EURUSD")
    acknowledged = {slow: 0, stuck: 7}
    for client in (slow, stuck):
        client.outbox._reading = lambda client=client: acknowledged[client]
        client.stall()
    for second in range(120):
        relay.spot("EURUSD", 108_000 + second)
        relay.turn(1.0)
        acknowledged[slow] += 1_500
        relay.hub.fanout.sweep()
    assert slow.closed == []
    assert stuck.closed == [CloseCode.SLOW_CONSUMER]
    slow.read()
    newest = slow.take()[-1]
    assert newest["seq"] == 120
