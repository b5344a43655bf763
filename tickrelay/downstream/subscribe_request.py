"""``subscribe`` of v1: other spellings, patterns, rates, snapshots, and resuming from a position.

A client gets, in this order: the answer; per symbol the ticks that it missed, or a snapshot; the live ticks. Every tick
has ``seq == previous + 1 + conflated``; the answer's ``seq`` is the position after which the live stream goes on, its
``fromSeq`` the first tick of a replay that comes before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from tickrelay.downstream import results
from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.directory import MAX_PATTERNS, is_pattern
from tickrelay.downstream.results import STEP_NAMES, Answer, Steps
from tickrelay.model.errors import ErrorCode
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.relay.channel import Channel
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.messages import SubscribeResponse
from tickrelay.wire.parts import Result
from tickrelay.wire.requests import Position, Subscribe

MAX_RATE = 50.0
"""Upper bound of a rate limit, ticks per second and symbol; 0 asks for every tick."""

MIN_RATE = 0.01

MOST_REPLAYED = 10_000
"""Ticks replayed on one connection, of all symbols together."""

STEP_FRAMES = 100
"""Replayed ticks and snapshots that are sent in one step, in one write: about 0.3 ms where all are to be encoded."""


def effective_rate(asked: float) -> float:
    """The rate limit that a client gets (ticks/s; 0 stays 0: every tick): within bounds, with two significant digits.

    Clients of one rate share a timer; the digits bound the number of timers.
    """
    if not asked:
        return 0.0
    bounded = min(max(asked, MIN_RATE), MAX_RATE)
    return float(f"{bounded:.1e}")


@dataclass(slots=True)
class _Place:
    """One symbol of a request that is to be subscribed."""

    spelled: str
    symbol: Symbol
    was_subscribed: bool


@dataclass(slots=True)
class _Arrears:
    """What a client is sent of one symbol between the answer and the live ticks."""

    channel: Channel
    ticks: Sequence[Tick]
    """What it missed, or the newest tick alone, as a snapshot."""
    is_snapshot: bool = False


class SubscribeRequest:
    """Made for one request of one client.

    *rate*: of symbols that are subscribed without a rate of their own (ticks/s; 0: every tick).
    *replays_left*: how many ticks may be replayed to this client.

    It may be answered in many turns of the reactor, between which ticks come and the symbol list changes. Which symbols
    are named is decided by one list, that of the beginning; whether one still exists, and its position, in the moment
    in which it is subscribed. From the first of these the client is held (`Hub.hold`) until all is sent.
    """

    def __init__(self, context: ClientContext, subscriber: Subscriber, rate: float, replays_left: int) -> None:
        self.replays_left = replays_left
        self._context = context
        self._hub = context.hub
        self._names = context.names
        self._subscriber = subscriber
        self._rate = rate
        self._resume: dict[str, Position] = {}
        self._entries: list[Result | _Place] = []
        """The results, in the order of the request: final ones, and symbols that are to be subscribed."""
        self._listed: set[str] = set()
        self._before = {channel.symbol.name for channel in subscriber.channels}
        self._subscribed = set(self._before)
        """The client's symbols as they will be."""
        self._arrears: list[_Arrears] = []
        self._behind: list[Channel] = []
        """Channels of which a snapshot was asked for, and the client was not sent the newest tick."""

    def subscribe(self, request: Subscribe) -> Steps[Answer]:
        """Subscribe what can be; the answer has the frames that bring the client up to date."""
        if request.resume:
            # When a network comes back, hundreds resume in one turn, each of them within its share.
            self._context.ledger.wait_if_busy()
            yield
        yield from self._names.indexed()
        yield from self._find_positions(request)
        yield from self._find_symbols(request)
        self._hub.hold(self._subscriber)
        answers: list[Result] = []
        started: dict[str, Result] = {}
        for number, entry in enumerate(self._entries):
            if number % STEP_NAMES == 0:
                yield
            if isinstance(entry, Result):
                answers.append(entry)
                continue
            name = entry.symbol.name
            if name in started:
                # Spelled in two ways: brought up to date once; both results say the same.
                same = replace(started[name], symbol=entry.spelled)
                if same.status == "subscribed":
                    same.name = UNSET if entry.spelled == name else name
                answers.append(same)
            else:
                started[name] = self._start(entry, request)
                answers.append(started[name])
        return Answer(SubscribeResponse(id=request.id, results=answers), frames=self._frames(), then=self._release)

    # Which symbols.

    def _find_positions(self, request: Subscribe) -> Steps[None]:
        """``resume`` by the symbols' own names; of several spellings the exact one counts."""
        for number, (spelled, position) in enumerate(request.resume.items()):
            if number % STEP_NAMES == 0:
                yield
            for symbol in self._names.find(spelled):
                if spelled == symbol.name or symbol.name not in self._resume:
                    self._resume[symbol.name] = position

    def _find_symbols(self, request: Subscribe) -> Steps[None]:
        patterns = 0
        for number, name in enumerate(request.symbols):
            if number % STEP_NAMES == 0:
                yield
            if is_pattern(name) and not self._names.find(name):
                patterns += 1
                if patterns > MAX_PATTERNS:
                    self._entries.append(results.refused(name, ErrorCode.BAD_REQUEST, "Too many patterns"))
                else:
                    yield from self._find_pattern(name)
            else:
                self._find_name(name)

    def _find_name(self, name: str) -> None:
        found = self._names.find(name)
        if len(found) != 1:
            self._entries.append(self._not_one(name, found))
        elif not found[0].enabled:
            self._entries.append(results.refused(name, ErrorCode.SYMBOL_DISABLED))
        else:
            self._listed.add(found[0].name)
            if not self._admit(name, found[0]):
                self._entries.append(results.refused(name, ErrorCode.SUBSCRIPTION_LIMIT))

    def _find_pattern(self, pattern: str) -> Steps[None]:
        """Each symbol that matches has a result under its own name, and only one in the whole answer.

        Those beyond the limit of a client have one result together, under the pattern.
        """
        found = yield from self._names.match(pattern)
        if not found:
            self._entries.append(self._not_one(pattern, found))
        full = False
        for number, symbol in enumerate(found):
            if number % STEP_NAMES == 0:
                yield
            if symbol.name in self._listed:
                continue
            self._listed.add(symbol.name)
            if not symbol.enabled:
                self._entries.append(results.refused(symbol.name, ErrorCode.SYMBOL_DISABLED))
            elif not self._admit(symbol.name, symbol) and not full:
                full = True
                self._entries.append(results.refused(pattern, ErrorCode.SUBSCRIPTION_LIMIT))

    def _not_one(self, name: str, found: list[Symbol]) -> Result:
        if found:
            names = ", ".join(symbol.name for symbol in found[:5])
            return results.refused(name, ErrorCode.UNKNOWN_SYMBOL, f"Ambiguous: {names}")
        return results.refused(name, ErrorCode.UNKNOWN_SYMBOL if self._names.symbols else ErrorCode.NOT_READY)

    def _admit(self, spelled: str, symbol: Symbol) -> bool:
        """Note that the symbol is to be subscribed; False: the client has as many as it may."""
        if symbol.name not in self._subscribed:
            if len(self._subscribed) >= self._context.settings.max_symbols:
                return False
            self._subscribed.add(symbol.name)
        self._entries.append(_Place(spelled, symbol, symbol.name in self._before))
        return True

    # Subscribing.

    def _start(self, place: _Place, request: Subscribe) -> Result:
        """Subscribe one symbol; returns its result, and notes what brings the client up to date."""
        hub, subscriber = self._hub, self._subscriber
        symbol = hub.symbols.get(place.symbol.name)
        if symbol is None or not symbol.enabled:
            # So since the request was begun.
            code = ErrorCode.UNKNOWN_SYMBOL if symbol is None else ErrorCode.SYMBOL_DISABLED
            return results.refused(place.spelled, code)
        channel = hub.channels.get(symbol.name)
        rate = subscriber.channels.get(channel, self._rate) if channel is not None else self._rate
        if request.max_rate is not UNSET:
            rate = effective_rate(request.max_rate)
        (channel,) = hub.subscribe(subscriber, (symbol,), rate)
        hub.keep_history(channel)
        seq = subscriber.positions.get(channel, channel.sent_seq)
        feed = hub.feed_of(symbol.name)
        result = results.subscribed(place.spelled, channel, hub.epoch, seq, subscriber.channels[channel], feed)
        snapshot = request.snapshot
        position = self._resume.get(symbol.name)
        if position is not None and not place.was_subscribed:
            missed = hub.missed_since(channel, position.epoch, position.seq, self.replays_left)
            result.recovered = missed is not None
            result.replayed = len(missed or ())
            if missed:
                self.replays_left -= len(missed)
                result.from_seq = missed[0].seq
                self._arrears.append(_Arrears(channel, missed))
                snapshot = False
            elif missed is None:
                snapshot = True
        if snapshot and seq != channel.sent_seq:
            self._behind.append(channel)
        elif snapshot and channel.sent is not None:
            self._arrears.append(_Arrears(channel, (channel.sent,), is_snapshot=True))
        return result

    def _frames(self) -> Iterator[bytes]:
        """All that brings the client up to date, `STEP_FRAMES` at a time."""
        context, encoding = self._context, self._subscriber.encoding
        frames: list[bytes] = []
        for arrears in self._arrears:
            ticks = arrears.ticks
            while ticks:
                room = STEP_FRAMES - len(frames)
                some, ticks = ticks[:room], ticks[room:]
                if arrears.is_snapshot:
                    frames += [encoding.snapshot(tick, self._age_ms(tick)) for tick in some]
                else:
                    frames += context.replay_cache.of(encoding, arrears.channel, some)
                if len(frames) == STEP_FRAMES:
                    yield b"".join(frames)
                    frames = []
        if frames:
            yield b"".join(frames)

    def _release(self) -> None:
        """Let the live ticks go on; those whose rate would hold them back are sent now where a snapshot was asked."""
        subscriber = self._subscriber
        self._hub.release(subscriber)
        if not subscriber.is_waiting:
            frames = subscriber.newest([channel for channel in self._behind if channel in subscriber.positions], {})
            if frames:
                subscriber.outbox.write(frames)

    def _age_ms(self, tick: Tick) -> int:
        return max(0, self._context.clock.wall_ms() - tick.timestamp_ms)
