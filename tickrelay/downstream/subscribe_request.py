"""Subscribe and unsubscribe in v1: other spellings, patterns, rates, snapshots, and going on where one left off.

The order of what a client gets: the answer, then per symbol what it missed or a snapshot, then the ticks that follow.
Every tick has ``seq == previous + 1 + conflated``; the answer's ``seq`` is where the live stream goes on from, its
``fromSeq`` is the first tick of a replay that comes before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from tickrelay.downstream import results
from tickrelay.downstream.directory import is_pattern, matches
from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.relay.channel import Channel
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import AnyMessage, Result, SubscribeResponse, UnsubscribeResponse
from tickrelay.wire.requests import Position, Subscribe, Unsubscribe

if TYPE_CHECKING:
    from tickrelay.downstream.factory import ClientFactory
    from tickrelay.downstream.v1 import V1Requests

MAX_RATE = 50.0
"""The highest rate a client can ask for, ticks per second and symbol; who wants more wants every tick."""

MIN_RATE = 0.01

MAX_PATTERNS = 20
"""In one request: each is held against the whole symbol list."""

MOST_REPLAYED = 10_000
"""Ticks replayed on one connection, of all symbols together."""


def effective_rate(asked: float) -> float:
    """The rate that a client gets: at most MAX_RATE, and two significant digits, since clients of a rate share a timer.

    0 stays 0: every tick.
    """
    if not asked:
        return 0.0
    bounded = min(max(asked, MIN_RATE), MAX_RATE)
    return float(f"{bounded:.1e}")


@dataclass
class _Place:
    """Where one symbol of a request stands in the answer."""

    spelled: str
    symbol: Symbol
    resume: Position | None
    pattern: str = ""
    """What it matched, where it was not named itself."""
    was_subscribed: bool = False


@dataclass
class _Plan:
    """The answer in the making: in the order of the request."""

    resume: Mapping[str, Position]
    entries: list[Result | _Place] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)

    def places(self) -> Iterator[_Place]:
        """The symbols that are to be subscribed."""
        return (entry for entry in self.entries if isinstance(entry, _Place))


class SubscribeRequest:
    """Made for one request of one client."""

    def __init__(self, factory: "ClientFactory", subscriber: Subscriber, client: "V1Requests") -> None:
        self._factory = factory
        self._hub = factory.hub
        self._subscriber = subscriber
        self._client = client

    def subscribe(self, request: Subscribe) -> None:
        """Subscribe what can be, answer, and bring the client up to date."""
        plan = self._plan(request)
        self._admit(plan)
        channels = self._take(plan, request)
        answers: list[Result] = []
        started: dict[str, Result] = {}
        frames: list[bytes] = []
        for entry in plan.entries:
            if isinstance(entry, Result):
                answers.append(entry)
                continue
            name = entry.symbol.name
            if name in started:
                # Spelled in two ways: brought up to date once, and the same is told of both.
                same = replace(started[name], symbol=entry.spelled, name=UNSET if entry.spelled == name else name)
                answers.append(same)
            else:
                started[name] = self._start(entry, channels[name], request.snapshot, frames)
                answers.append(started[name])
        self._say(SubscribeResponse(id=request.id, results=answers))
        if frames:
            self._subscriber.outbox.write(b"".join(frames))

    # Which symbols.

    def _plan(self, request: Subscribe) -> _Plan:
        plan = _Plan(resume=self._positions(request))
        patterns = 0
        for name in request.symbols:
            if is_pattern(name) and not self._factory.names.find(name):
                patterns += 1
                if patterns > MAX_PATTERNS:
                    plan.entries.append(results.refused(name, ErrorCode.BAD_REQUEST, "Too many patterns"))
                else:
                    self._plan_pattern(plan, name)
            else:
                self._plan_name(plan, name)
        return plan

    def _positions(self, request: Subscribe) -> dict[str, Position]:
        """``resume`` by the symbols' own names; of several spellings the exact one counts."""
        positions: dict[str, Position] = {}
        for spelled, position in request.resume.items():
            for symbol in self._factory.names.find(spelled):
                if spelled == symbol.name or symbol.name not in positions:
                    positions[symbol.name] = position
        return positions

    def _plan_name(self, plan: _Plan, name: str) -> None:
        found = self._factory.names.find(name)
        if len(found) != 1:
            plan.entries.append(self._not_one(name, found))
        elif not found[0].enabled:
            plan.entries.append(results.refused(name, ErrorCode.SYMBOL_DISABLED))
        else:
            symbol = found[0]
            plan.entries.append(_Place(name, symbol, plan.resume.get(symbol.name)))
            plan.listed.add(symbol.name)

    def _plan_pattern(self, plan: _Plan, pattern: str) -> None:
        """Each symbol that matches stands in the answer by its own name, and only once in all of it."""
        found = self._factory.names.match(pattern)
        if not found:
            plan.entries.append(self._not_one(pattern, found))
        for symbol in found:
            if symbol.name in plan.listed:
                continue
            plan.listed.add(symbol.name)
            if symbol.enabled:
                plan.entries.append(_Place(symbol.name, symbol, plan.resume.get(symbol.name), pattern))
            else:
                plan.entries.append(results.refused(symbol.name, ErrorCode.SYMBOL_DISABLED))

    def _not_one(self, name: str, found: list[Symbol]) -> Result:
        if found:
            names = ", ".join(symbol.name for symbol in found[:5])
            return results.refused(name, ErrorCode.UNKNOWN_SYMBOL, f"Ambiguous: {names}")
        return results.refused(name, ErrorCode.UNKNOWN_SYMBOL if self._hub.symbols else ErrorCode.NOT_READY)

    def _admit(self, plan: _Plan) -> None:
        """Refuse what is more than one client may have: name by name, and a pattern's surplus all at once."""
        subscribed = {channel.symbol.name for channel in self._subscriber.channels}
        before = frozenset(subscribed)
        full: set[str] = set()
        admitted: list[Result | _Place] = []
        for entry in plan.entries:
            if isinstance(entry, Result):
                admitted.append(entry)
                continue
            name = entry.symbol.name
            entry.was_subscribed = name in before
            if name in subscribed or len(subscribed) < self._factory.settings.max_symbols:
                subscribed.add(name)
                admitted.append(entry)
            elif entry.pattern not in full:
                full.update([entry.pattern] if entry.pattern else [])
                admitted.append(results.refused(entry.pattern or entry.spelled, ErrorCode.SUBSCRIPTION_LIMIT))
        plan.entries = admitted

    # Subscribing.

    def _take(self, plan: _Plan, request: Subscribe) -> dict[str, Channel]:
        """Subscribe, all symbols of a rate at a time."""
        present = {channel.symbol.name: rate for channel, rate in self._subscriber.channels.items()}
        by_rate: dict[float, dict[str, Symbol]] = {}
        for place in plan.places():
            if request.max_rate is not UNSET:
                rate = effective_rate(request.max_rate)
            else:
                rate = present.get(place.symbol.name, self._client.rate)
            by_rate.setdefault(rate, {})[place.symbol.name] = place.symbol
        channels: dict[str, Channel] = {}
        for rate, symbols in by_rate.items():
            for channel in self._hub.subscribe(self._subscriber, symbols.values(), rate):
                self._hub.keep_history(channel)
                channels[channel.symbol.name] = channel
        return channels

    def _start(self, place: _Place, channel: Channel, snapshot: bool, frames: list[bytes]) -> Result:
        """The result of one symbol; adds the frames that bring the client up to date."""
        subscriber = self._subscriber
        name = channel.symbol.name
        seq = subscriber.positions.get(channel, channel.sent_seq)
        result = results.subscribed(
            place.spelled, channel, self._hub.epoch, seq, subscriber.channels[channel], self._hub.feed_of(name)
        )
        if place.resume is not None and not place.was_subscribed:
            missed = self._missed(channel, place.resume)
            result.recovered = missed is not None
            if missed:
                self._client.replays_left -= len(missed)
                frames.extend(map(subscriber.encoding.tick, missed))
                result.from_seq = missed[0].seq
                snapshot = False
            elif missed is None:
                snapshot = True
            result.replayed = len(missed or ())
        if snapshot and channel.sent is not None:
            if seq == channel.sent_seq:
                frames.append(subscriber.encoding.snapshot(channel.sent, self._age_ms(channel.sent)))
            elif not subscriber.is_waiting:
                frames.append(subscriber.newest([channel]))
        return result

    def _missed(self, channel: Channel, position: Position) -> list[Tick] | None:
        missed = self._hub.missed_since(channel, position.epoch, position.seq, self._client.replays_left)
        return None if missed is None else list(missed)

    def _age_ms(self, tick: Tick) -> int:
        return max(0, self._factory.clock.wall_ms() - tick.timestamp_ms)

    def _say(self, message: AnyMessage) -> None:
        self._subscriber.send(message)

    # Unsubscribing.

    def unsubscribe(self, request: Unsubscribe) -> None:
        """Give symbols back, by any spelling; what was not subscribed is unsubscribed."""
        answers: list[Result] = []
        gone: dict[str, None] = {}
        subscribed = {channel.symbol.name for channel in self._subscriber.channels}
        patterns = 0
        for spelled in request.symbols:
            if is_pattern(spelled) and spelled not in subscribed:
                patterns += 1
                if patterns > MAX_PATTERNS:
                    answers.append(results.refused(spelled, ErrorCode.BAD_REQUEST, "Too many patterns"))
                    continue
                matched = [name for name in subscribed if matches(name, spelled)]
                answers.extend(Result(symbol=name, status="unsubscribed") for name in matched if name not in gone)
                if not matched:
                    answers.append(Result(symbol=spelled, status="unsubscribed"))
                gone.update(dict.fromkeys(matched))
                continue
            name = self._subscribed_as(spelled, subscribed)
            result = Result(symbol=spelled, status="unsubscribed")
            if name is not None:
                gone[name] = None
                if name != spelled:
                    result.name = name
            answers.append(result)
        self._hub.unsubscribe(self._subscriber, gone)
        self._say(UnsubscribeResponse(id=request.id, results=answers))

    def _subscribed_as(self, spelled: str, subscribed: set[str]) -> str | None:
        if spelled in subscribed:
            return spelled
        return next((symbol.name for symbol in self._factory.names.find(spelled) if symbol.name in subscribed), None)
