"""``subscribe`` and ``unsubscribe`` of v1: other spellings, patterns, rates, snapshots, and resuming from a position.

A client gets, in this order: the answer; per symbol the ticks that it missed, or a snapshot; the live ticks. Every tick
has ``seq == previous + 1 + conflated``; the answer's ``seq`` is the position after which the live stream goes on, its
``fromSeq`` the first tick of a replay that comes before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import UNSET
from msgspec.structs import replace

from tickrelay.downstream import results
from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.directory import is_pattern, matches
from tickrelay.downstream.results import Answer
from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.relay.channel import Channel
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import SubscribeResponse, UnsubscribeResponse
from tickrelay.wire.parts import Result
from tickrelay.wire.requests import Position, Subscribe, Unsubscribe

MAX_RATE = 50.0
"""Upper bound of a rate limit, ticks per second and symbol; 0 asks for every tick."""

MIN_RATE = 0.01

MAX_PATTERNS = 20
"""In one request: each is compared with the whole symbol list."""


def effective_rate(asked: float) -> float:
    """The rate limit that a client gets (ticks/s; 0 stays 0: every tick): within bounds, with two significant digits.

    Clients of one rate share a timer; the digits bound the number of timers.
    """
    if not asked:
        return 0.0
    bounded = min(max(asked, MIN_RATE), MAX_RATE)
    return float(f"{bounded:.1e}")


@dataclass
class _Place:
    """One symbol of a request that can be subscribed."""

    spelled: str
    symbol: Symbol
    resume: Position | None
    pattern: str = ""
    """The pattern that it matched; empty: it was named itself."""
    was_subscribed: bool = False


@dataclass
class _Plan:
    """The results of a request, in its order: final ones, and symbols that are to be subscribed."""

    resume: Mapping[str, Position]
    entries: list[Result | _Place] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)

    def places(self) -> Iterator[_Place]:
        """Iterate over the symbols that are to be subscribed."""
        return (entry for entry in self.entries if isinstance(entry, _Place))


class SubscribeRequest:
    """Made for one request of one client.

    *rate*: of symbols that are subscribed without a rate of their own (ticks/s; 0: every tick).
    *replays_left*: how many ticks may be replayed to this client.
    """

    def __init__(self, context: ClientContext, subscriber: Subscriber, rate: float, replays_left: int) -> None:
        self.replays_left = replays_left
        self._context = context
        self._hub = context.hub
        self._subscriber = subscriber
        self._rate = rate

    def subscribe(self, request: Subscribe) -> Answer:
        """Subscribe what can be; the answer has the frames that bring the client up to date."""
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
                # Spelled in two ways: brought up to date once; both results say the same.
                same = replace(started[name], symbol=entry.spelled, name=UNSET if entry.spelled == name else name)
                answers.append(same)
            else:
                started[name] = self._start(entry, channels[name], request.snapshot, frames)
                answers.append(started[name])
        return Answer(SubscribeResponse(id=request.id, results=answers), b"".join(frames))

    # Which symbols.

    def _plan(self, request: Subscribe) -> _Plan:
        plan = _Plan(resume=self._positions(request))
        patterns = 0
        for name in request.symbols:
            if is_pattern(name) and not self._context.names.find(name):
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
            for symbol in self._context.names.find(spelled):
                if spelled == symbol.name or symbol.name not in positions:
                    positions[symbol.name] = position
        return positions

    def _plan_name(self, plan: _Plan, name: str) -> None:
        found = self._context.names.find(name)
        if len(found) != 1:
            plan.entries.append(self._not_one(name, found))
        elif not found[0].enabled:
            plan.entries.append(results.refused(name, ErrorCode.SYMBOL_DISABLED))
        else:
            symbol = found[0]
            plan.entries.append(_Place(name, symbol, plan.resume.get(symbol.name)))
            plan.listed.add(symbol.name)

    def _plan_pattern(self, plan: _Plan, pattern: str) -> None:
        """Each symbol that matches has a result under its own name, and only one in the whole answer."""
        found = self._context.names.match(pattern)
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
        """Refuse what exceeds the limit of a client: name by name, and a pattern's surplus in one result."""
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
            if name in subscribed or len(subscribed) < self._context.settings.max_symbols:
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
                rate = present.get(place.symbol.name, self._rate)
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
                self.replays_left -= len(missed)
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
                frames.append(subscriber.newest([channel], {}))
        return result

    def _missed(self, channel: Channel, position: Position) -> list[Tick] | None:
        missed = self._hub.missed_since(channel, position.epoch, position.seq, self.replays_left)
        return None if missed is None else list(missed)

    def _age_ms(self, tick: Tick) -> int:
        return max(0, self._context.clock.wall_ms() - tick.timestamp_ms)

    # Unsubscribing.

    def unsubscribe(self, request: Unsubscribe) -> Answer:
        """End subscriptions, by any spelling; a symbol that is not subscribed has the same result as one that was."""
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
        return Answer(UnsubscribeResponse(id=request.id, results=answers))

    def _subscribed_as(self, spelled: str, subscribed: set[str]) -> str | None:
        if spelled in subscribed:
            return spelled
        return next((symbol.name for symbol in self._context.names.find(spelled) if symbol.name in subscribed), None)
