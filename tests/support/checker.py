"""A client that believes nothing: it holds every message of a v1 connection against the rules of the protocol.

Written from docs/protocol.rst alone; it imports nothing of the relay. `Checker` outlives connections, since what a
client knows (its positions) does; give it each message as its JSON has it, in the order of arrival.
"""

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass
class Position:
    """How far the client got in one symbol."""

    epoch: str
    seq: int
    timestamp: int = 0


@dataclass
class Checker:
    """The client's memory, and what it found wrong."""

    faults: list[str] = field(default_factory=list)
    ticks: int = 0
    conflated: int = 0
    replayed: int = 0
    snapshots: int = 0
    recovered: int = 0
    unrecovered: int = 0
    gaps: dict[str, list[Message]] = field(default_factory=dict)
    """Of each symbol, in order."""
    positions: dict[str, Position] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    """In this connection, by the symbols' own names."""
    prices: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    """(symbol, seq) -> (bid, ask) of every tick received, for a truth that the test knows."""
    _replay: dict[str, int] = field(default_factory=dict)
    """Symbols in the middle of a replay -> ticks still to come."""
    _snapshot: set[str] = field(default_factory=set)
    """Symbols whose position was restated: the next tick may be a snapshot of exactly that position."""

    def opened(self) -> None:
        """A new connection: nothing is subscribed in it."""
        self.subscribed.clear()
        self._replay.clear()
        self._snapshot.clear()

    def resume(self) -> dict[str, Message]:
        """What to put into ``resume`` to go on from where the last connection ended."""
        return {name: {"epoch": p.epoch, "seq": p.seq} for name, p in self.positions.items()}

    def take(self, message: Message) -> None:
        """Check one message."""
        match message["type"]:
            case "tick":
                self._tick(message)
            case "subscribeResponse":
                for result in message["results"]:
                    if result["status"] == "subscribed":
                        self._started(result)
            case "unsubscribeResponse":
                for result in message["results"]:
                    self.subscribed.discard(result.get("name", result["symbol"]))
            case "gap":
                self._gap(message)
            case "error":
                self._fault(f"an error: {message}")

    def _fault(self, what: str) -> None:
        self.faults.append(what)

    def _started(self, result: Message) -> None:
        name, epoch, seq = result.get("name", result["symbol"]), result["epoch"], result["seq"]
        known = self.positions.get(name)
        if name in self.subscribed:
            # Subscribing again only tells where the client stands: at the tick before the first that is to come.
            if known is None or (known.epoch, known.seq) != (epoch, result.get("fromSeq", seq + 1) - 1):
                self._fault(f"{name}: stands at {known}, is told {result}")
        elif result.get("recovered"):
            replayed = result["replayed"]
            first = result.get("fromSeq", seq + 1)
            if known is None or (known.epoch, known.seq + 1, known.seq + replayed) != (epoch, first, seq):
                self._fault(f"{name}: recovered from {known} by {result}")
            if ("fromSeq" in result) != (replayed > 0):
                self._fault(f"{name}: fromSeq is there where ticks are replayed: {result}")
            self.positions[name] = Position(epoch, first - 1, known.timestamp if known is not None else 0)
            self.recovered += 1
            self._replay[name] = replayed
        else:
            if "fromSeq" in result:
                self._fault(f"{name}: fromSeq without a replay: {result}")
            self.unrecovered += "recovered" in result
            self.positions[name] = Position(epoch, seq)
        self.subscribed.add(name)
        self._snapshot.add(name)

    def _tick(self, tick: Message) -> None:
        self.ticks += 1
        name, seq, conflated = tick["symbol"], tick["seq"], tick.get("conflated", 0)
        position = self.positions.get(name)
        if name not in self.subscribed or position is None:
            self._fault(f"not subscribed: {tick}")
            return
        if tick["epoch"] != position.epoch:
            self._fault(f"another epoch than {position}: {tick}")
        if tick.get("snapshot"):
            self.snapshots += 1
            if seq != position.seq or name not in self._snapshot:
                self._fault(f"a snapshot of {seq} at {position}")
        else:
            if seq != position.seq + 1 + conflated:
                self._fault(f"{name}: {position.seq} is followed by {seq} with {conflated} conflated")
            self._snapshot.discard(name)
        if self._replay.get(name):
            self._replay[name] -= 1
            self.replayed += 1
            if conflated:
                self._fault(f"conflated in a replay: {tick}")
        if tick["timestamp"] < position.timestamp:
            self._fault(f"{name}: time ran back from {position.timestamp} to {tick['timestamp']}")
        if "conflated" in tick and not conflated:
            self._fault(f"conflated is said only where it is not 0: {tick}")
        self.conflated += conflated
        position.seq, position.timestamp = seq, tick["timestamp"]
        self.prices[name, seq] = (tick["bid"], tick["ask"])

    def _gap(self, gap: Message) -> None:
        name = gap["symbol"]
        position = self.positions.get(name)
        if name not in self.subscribed or position is None:
            self._fault(f"a gap of what is not subscribed: {gap}")
            return
        if gap["epoch"] != position.epoch or gap["afterSeq"] < position.seq or gap["fromMs"] > gap["toMs"]:
            self._fault(f"a gap at {position}: {gap}")
        self.gaps.setdefault(name, []).append(gap)
