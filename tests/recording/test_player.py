"""A recording played as a server gives the stream that was recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.support.broker import ACCOUNT, APPLICATION, SYMBOLS
from tests.support.frames import length_prefixed
from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent
from tickrelay.openapi.messages_pb2 import (
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolByIdReq,
    ProtoOASymbolsListRes,
)
from tickrelay.openapi.model_pb2 import ProtoOALightSymbol
from tickrelay.recording.format import gap_line, header_line, record_line
from tickrelay.recording.player import MOST_AT_ONCE, Player, records
from tickrelay.recording.recorder import Recorder
from tickrelay.recording.segments import segment_paths
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.settings import Rules, SimulatorSettings

START_S = 1_763_900_000.0
SYMBOL = ProtoOALightSymbol(symbolId=1, symbolName="EURUSD", enabled=True)
IDS = (1, 2, 9, 41, 52, 59)


class Client(frames.FrameReceiver):
    """Logs in, asks for the symbols, subscribes, and keeps what it is sent."""

    def __init__(self, factory: SimulatorFactory, on_frame: Callable[[bytes], None] = lambda _: None) -> None:
        self.on_frame = on_frame
        self.received: list[Any] = []
        self._server = factory.buildProtocol(None)
        self._wire = StringTransport()
        self._server.makeConnection(self._wire)

    def read(self) -> None:
        """Take in what the server has sent."""
        data = self._wire.value()
        self._wire.clear()
        self.dataReceived(data)

    def stringReceived(self, string: bytes) -> None:
        """A frame."""
        self.on_frame(string)
        self.received.append(frames.open_payload(frames.open_envelope(string)))

    def send(self, *messages: Message) -> None:
        """Requests."""
        for message in messages:
            frame = frames.encode(message, "m")
            self._server.dataReceived(length_prefixed(frame))
        self.read()

    def log_in(self) -> None:
        """Up to the catalogue."""
        self.send(
            APPLICATION,
            ACCOUNT,
            SYMBOLS,
            ProtoOASymbolByIdReq(ctidTraderAccountId=1001, symbolId=range(1, 66)),
        )

    def subscribe(self, *ids: int) -> None:
        """Spots, with their times."""
        self.send(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=ids, subscribeToSpotTimestamp=True))

    def run(self, clock: Clock, seconds: float, step_s: float) -> None:
        """Let time pass, alive."""
        for step in range(round(seconds / step_s)):
            clock.advance(step_s)
            self.read()
            if step % 20 == 0:
                self.send(ProtoHeartbeatEvent())

    def ticks(self) -> list[tuple[int, int, int, int]]:
        """Every quote as a client sees it after forward-fill: symbol, bid, ask, the server's time."""
        sides: dict[int, tuple[int, int]] = {}
        found = []
        for event in self.received:
            if isinstance(event, ProtoOASpotEvent):
                bid, ask = sides.get(event.symbolId, (0, 0))
                sides[event.symbolId] = bid, ask = event.bid or bid, event.ask or ask
                found.append((event.symbolId, bid, ask, event.timestamp))
        return found


def settings(**options: Any) -> SimulatorSettings:
    """A simulator's settings, cut-offs far away."""
    rules = Rules(idle_s=1e6, unauthenticated_s=1e6, unknown_field_every=0)
    return SimulatorSettings(rules=rules, **options)


def record(directory: Path, seconds: float, ids: tuple[int, ...] = IDS) -> list[tuple[int, int, int, int]]:
    """Record a client of the simulator; returns the ticks that it saw."""
    clock = Clock()
    broker = SimulatedBroker(settings(), lambda: START_S + clock.seconds())
    recorder = Recorder(directory, clock, broker.now, maybeDeferred, keep_free_bytes=0)
    recorder.start()
    client = Client(SimulatorFactory(broker, clock), recorder.frame)
    client.log_in()
    client.subscribe(*ids)
    client.run(clock, seconds, 0.2)
    recorder.stop()
    return client.ticks()


def play(directory: Path, seconds: float, speed: float, batches: int = 1) -> list[tuple[int, int, int, int]]:
    """Play a recording to a client that subscribes in batches; returns the ticks that it saw."""
    clock = Clock()
    broker = SimulatedBroker(settings(speed=speed), lambda: START_S + 9_999 + clock.seconds(), Player(directory))
    client = Client(SimulatorFactory(broker, clock))
    client.log_in()
    for n in range(batches):
        client.subscribe(*IDS[n::batches])
        client.run(clock, 0.2, 0.1)
    client.run(clock, seconds, 0.05)
    return client.ticks()


def test_a_recorded_hour_at_sixty_times_the_pace(tmp_path: Path) -> None:
    """Tick for tick the same stream, in the same order, with the same times."""
    recorded = record(tmp_path, 3600)
    assert len(recorded) > 5000
    assert {symbol_id for symbol_id, *_ in recorded} == set(IDS)
    assert play(tmp_path, 65, 60.0) == recorded


def test_subscribing_in_batches_misses_nothing(tmp_path: Path) -> None:
    """The playback waits until there was no subscription for a second."""
    recorded = record(tmp_path, 60)
    assert play(tmp_path, 4, 30.0, batches=3) == recorded


def test_a_late_client_gets_the_last_quote_and_what_follows(tmp_path: Path) -> None:
    """Its first event is technical: both sides as they stand on the player."""
    recorded = record(tmp_path, 60)
    clock = Clock()
    broker = SimulatedBroker(settings(), lambda: START_S + clock.seconds(), Player(tmp_path))
    factory = SimulatorFactory(broker, clock)
    first, late = Client(factory), Client(factory)
    first.log_in()
    late.log_in()
    first.subscribe(*IDS)
    first.run(clock, 30, 0.1)
    late.subscribe(1)
    late.run(clock, 40, 0.1)
    own = [tick for tick in recorded if tick[0] == 1]
    ticks = late.ticks()
    assert 1 < len(ticks) < len(own)
    assert own[-len(ticks) :] == ticks


def test_the_symbols_are_those_of_the_recording(tmp_path: Path) -> None:
    """The list is served as it was recorded, though the simulator of today may have others."""
    record(tmp_path, 5)
    broker = SimulatedBroker(settings(symbols=("BTCUSD",)), lambda: START_S, Player(tmp_path))
    client = Client(SimulatorFactory(broker, Clock()))
    client.log_in()
    (symbols,) = [m for m in client.received if isinstance(m, ProtoOASymbolsListRes)]
    assert len(symbols.symbol) == 65


@pytest.mark.parametrize("content", [None, b"", b"nonsense\n"])
def test_nothing_to_play_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    """No directory, or none that holds a recording."""
    path = tmp_path / "recording"
    if content is not None:
        path.mkdir()
        (path / "20251123T000000.000000Z.jsonl").write_bytes(content)
    with pytest.raises(SettingError, match="--replay"):
        Player(path)


def test_a_damaged_segment_is_played_up_to_the_damage(tmp_path: Path) -> None:
    """What follows in the next segment is played again."""
    recorded = record(tmp_path, 60)
    (path,) = segment_paths(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    played = play(tmp_path, 4, 30.0)
    assert 10 < len(played) < len(recorded)
    assert recorded[: len(played)] == played


def test_after_a_gap_no_side_is_guessed(tmp_path: Path) -> None:
    """A symbol is quoted again with the next event that brings both its sides."""
    (tmp_path / "a").mkdir()
    events = [
        ProtoOASpotEvent(symbolId=1, bid=100, ask=110, timestamp=1),
        ProtoOASpotEvent(symbolId=1, bid=101, timestamp=2),
        None,
        ProtoOASpotEvent(symbolId=1, bid=90, timestamp=3),
        ProtoOASpotEvent(symbolId=1, ask=95, timestamp=4),
        ProtoOASpotEvent(symbolId=1, bid=91, ask=96, timestamp=5),
    ]
    lines = [header_line(0.0), record_line(frames.encode(ProtoOASymbolsListRes(symbol=[SYMBOL])), 0.0)[1]]
    for n, event in enumerate(events):
        lines.append(gap_line(7, n) if event is None else record_line(frames.encode(event), float(n))[1])
    (tmp_path / "a" / "x.jsonl").write_bytes(b"".join(lines))
    player = Player(tmp_path / "a")
    player.subscribed(100.0, 1.0)
    quotes = player.advance(101.0) + player.advance(200.0)
    assert [(q.bid, q.ask) for q in quotes] == [(100, 110), (101, 110), (91, 96)]
    player.close()


def corrupt(path: Path, at: float) -> None:
    """Overwrite some bytes of a compressed segment, *at* of the way through."""
    data = bytearray(path.read_bytes())
    start = round(len(data) * at)
    data[start : start + 64] = bytes(64)
    path.write_bytes(bytes(data))


def test_a_corrupt_compressed_segment_ends_where_it_is_corrupt(tmp_path: Path, logged: list[dict[str, Any]]) -> None:
    """What was read is played, the log has one line, and the replay ends in order."""
    recorded = record(tmp_path, 60)
    corrupt(segment_paths(tmp_path)[0], 0.7)
    played = play(tmp_path, 4, 30.0)
    assert 10 < len(played) < len(recorded)
    assert recorded[: len(played)] == played
    lines = [event["log_format"] for event in logged if "replay" in event.get("log_format", "")]
    assert lines == [
        "replay: the rest of a damaged segment is left out: {where}",
        "replay: the recording has ended",
    ]


@pytest.mark.parametrize("header", [False, True])
def test_a_recording_that_is_corrupt_from_the_start_is_one_clear_error(tmp_path: Path, header: bool) -> None:
    """It names the file and what is wrong with it."""
    record(tmp_path, 5)
    if header:
        (tmp_path / "20251123T000000.000000Z.jsonl.gz").write_bytes(b"no gzip at all")
        segment_paths(tmp_path)[-1].unlink()
    else:
        corrupt(segment_paths(tmp_path)[0], 0.01)
    with pytest.raises(SettingError, match=r"^--replay: .* holds no recording with symbols and ticks: .*\.jsonl\.gz: "):
        Player(tmp_path)


def test_after_a_damaged_segment_no_side_is_guessed(tmp_path: Path) -> None:
    """The lost rest is a gap: a side may have changed in it."""
    head = header_line(0.0) + record_line(frames.encode(ProtoOASymbolsListRes(symbol=[SYMBOL])), 0.0)[1]
    for name, events in (
        ("a", [ProtoOASpotEvent(symbolId=1, bid=100, ask=110)]),
        ("b", [ProtoOASpotEvent(symbolId=1, bid=90), ProtoOASpotEvent(symbolId=1, bid=91, ask=96)]),
    ):
        lines = [record_line(frames.encode(event), float(ord(name)))[1] for event in events]
        (tmp_path / f"{name}.jsonl").write_bytes(head + b"".join(lines) + b"cut short" * (name == "a"))
    player = Player(tmp_path)
    player.subscribed(100.0, 1.0)
    assert [(q.bid, q.ask) for q in player.advance(200.0)] == [(100, 110), (91, 96)]
    player.close()


def test_a_turn_reads_so_many_lines_at_any_speed(tmp_path: Path) -> None:
    """What is over is due at once in the next turn; lines that are no quote count too."""
    lines = [header_line(0.0), record_line(frames.encode(ProtoOASymbolsListRes(symbol=[SYMBOL])), 0.0)[1]]
    for n in range(2 * MOST_AT_ONCE):
        event = ProtoOASpotEvent(symbolId=1, bid=100 + n, ask=200 + n)
        lines.append(record_line(frames.encode(event), float(n))[1])
    lines += [gap_line(1, 9e3)] * (2 * MOST_AT_ONCE)
    lines.append(record_line(frames.encode(ProtoOASpotEvent(symbolId=1, bid=1, ask=2)), 9e3)[1])
    (tmp_path / "x.jsonl").write_bytes(b"".join(lines))
    player = Player(tmp_path)
    player.subscribed(100.0, 1e5)
    sizes = []
    while player.next_s < 1e9:
        sizes.append(len(player.advance(1e9)))
    assert max(sizes) <= MOST_AT_ONCE
    assert 4 <= len(sizes) <= 6
    assert sum(sizes) == 2 * MOST_AT_ONCE + 1
    assert player.ended


def test_a_segment_that_cannot_be_opened_is_damaged(tmp_path: Path) -> None:
    """As one that cannot be read: the others are still read."""
    (tmp_path / "a.jsonl").mkdir()
    (tmp_path / "b.jsonl").write_bytes(header_line(0.0) + gap_line(7, 1.0))
    damage: list[str] = []
    assert [record.type_name for record in records(tmp_path, damage.append)] == ["gap", "gap"]
    assert damage[0].startswith(f"{tmp_path / 'a.jsonl'}: ")
