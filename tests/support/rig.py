"""The real session and the real simulator, joined in memory on one clock: no socket, no reactor, no sleeping."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from twisted.internet.task import Clock
from zope.interface import implementer

from tests.support.frames import length_prefixed
from tests.support.memory_net import Connection, MemoryNet
from tests.support.relay import TestClock
from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings
from tickrelay.model.feed import IFeedListener
from tickrelay.model.status import FeedStatus
from tickrelay.model.ticks import Symbol
from tickrelay.openapi import registry
from tickrelay.openapi.frames import HEARTBEAT, encode
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.settings import Rules, SimulatorSettings
from tickrelay.upstream.service import UpstreamService

START_S = 1_763_985_600.0
"""Monday 24 November 2025, 12:00 UTC."""


@implementer(IFeedListener)
class RecordingListener:
    """Records every call of the feed, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.statuses: list[FeedStatus] = []
        self.symbols: Sequence[Symbol] = ()
        self.spots: list[tuple[int, int, int, int]] = []
        self.confirmed: list[str] = []
        self.refused: dict[str, str] = {}
        self.lost: list[tuple[str, Sequence[str] | None]] = []
        self.also: IFeedListener | None = None
        """Another listener, which is called in the same way."""

    def _pass_on(self, name: str, *arguments: Any) -> None:
        if self.also is not None:
            getattr(self.also, name)(*arguments)

    def status_changed(self, status: FeedStatus) -> None:
        """Kept."""
        self._pass_on("status_changed", status)
        self.statuses.append(status)
        self.events.append(("status", status.status.value, status.state.value))

    def symbols_loaded(self, symbols: Sequence[Symbol]) -> None:
        """Kept."""
        self.symbols = symbols
        self._pass_on("symbols_loaded", symbols)
        self.events.append(("symbols", len(symbols)))

    def spot(self, symbol_id: int, bid: int, ask: int, source_ms: int) -> None:
        """Kept."""
        self.spots.append((symbol_id, bid, ask, source_ms))
        self._pass_on("spot", symbol_id, bid, ask, source_ms)

    def feed_lost(self, cause: str, names: Sequence[str] | None) -> None:
        """Kept."""
        self.lost.append((cause, names))
        self._pass_on("feed_lost", cause, names)
        self.events.append(("lost", cause, names))

    def symbol_confirmed(self, name: str) -> None:
        """Kept."""
        self.confirmed.append(name)
        self.events.append(("confirmed", name))

    def symbol_refused(self, name: str, code: str, message: str) -> None:
        """Kept."""
        self.refused[name] = code
        self.events.append(("refused", name, code))


class Rig:
    """A service, a simulator and the network between them. Keywords are settings of the session."""

    def __init__(
        self,
        clock: Clock,
        simulator: dict[str, Any] | None = None,
        rules: dict[str, Any] | None = None,
        start_s: float = START_S,
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.wall_offset_s = start_s
        self.time = TestClock(clock, self.wall)
        rules = {"unknown_field_every": 0, **(rules or {})}
        self.dependencies = SimulatedBroker(
            SimulatorSettings(rules=Rules(**rules), **(simulator or {})), lambda: start_s + clock.seconds()
        )
        self.net = MemoryNet(clock, SimulatorFactory(self.dependencies, clock))
        self.listener = RecordingListener()
        values: dict[str, Any] = {
            "client_id": "sim",
            "client_secret": Secret("sim-secret"),
            "access_token": Secret("sim-token"),
            "account_id": 1001,
            **settings,
        }
        self.settings = CTraderSettings(**values)
        self.service = UpstreamService(
            self.settings,
            self.listener,
            clock,
            self.time,
            connect=self.net.connect,
            rng=random.Random(1),
        )
        self.session = self.service.session
        self.counters = self.service.counters

    def wall(self) -> float:
        """Unix seconds; the tests step this clock, not the other."""
        return self.wall_offset_s + self.clock.seconds()

    def run(self, seconds: float, step_s: float = 0.01) -> None:
        """Let time pass in small steps."""
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)

    def until(self, condition: Callable[[], object], limit_s: float = 120.0, step_s: float = 0.01) -> float:
        """Let time pass until *condition* holds; returns how long it took."""
        start = self.clock.seconds()
        while not condition():
            assert self.clock.seconds() - start < limit_s, f"not within {limit_s} s; {self.listener.events[-5:]}"
            self.clock.advance(step_s)
        return self.clock.seconds() - start

    def go_live(self, *names: str) -> "Rig":
        """Start, want the symbols, wait until live."""
        self.service.startService()
        for name in names:
            self.service.want(name)
        self.until(lambda: self.state == "live")
        return self

    @property
    def state(self) -> str:
        """The session's state."""
        return self.session.state.value

    @property
    def status(self) -> str:
        """The last status that was told."""
        return self.listener.statuses[-1].status.value

    @property
    def message(self) -> str:
        """The last message that was told."""
        return self.listener.statuses[-1].message

    @property
    def messages(self) -> list[str]:
        """Every message that was told."""
        return [status.message for status in self.listener.statuses]

    @property
    def connection(self) -> Connection:
        """The newest connection."""
        return self.net.connections[-1]

    def recovered(self, *names: str, limit_s: float = 200) -> None:
        """Let time pass until live again: with these subscriptions, and never with two connections at a time."""
        self.until(lambda: self.state == "live", limit_s)
        assert self.upstream_set() == set(names)
        assert self.net.most_open == 1
        assert len(self.net.open) == 1

    def symbol_id(self, name: str) -> int:
        """The id of a symbol."""
        return next(symbol.symbol_id for symbol in self.listener.symbols if symbol.name == name)

    def upstream_set(self) -> set[str]:
        """The names that the simulator holds subscriptions of, on live connections."""
        return {
            symbol.name
            for number in self.dependencies.sessions
            for symbol in self.listener.symbols
            if self.dependencies.subscription(number, self.settings.account_id, symbol.symbol_id) is not None
        }

    def refuse(self, request: str, code: str, description: str = "", **more: Any) -> None:
        """From now on the simulator refuses a kind of request; code "" ends that."""
        number = registry.lookup(request).number
        self.dependencies.active_faults.refused.pop(number, None)
        if code:
            self.dependencies.active_faults.refused[number] = lambda: RequestRefused(code, description, **more)

    def hang(self, request: str, on: bool = True) -> None:
        """From now on the simulator never answers a kind of request."""
        number = registry.lookup(request).number
        (self.dependencies.active_faults.hung.add if on else self.dependencies.active_faults.hung.discard)(number)

    def inject(self, message: Message, msg_id: str = "") -> None:
        """A message of the server arrives on the newest connection; with no id it answers no request."""
        self.connection.inject(length_prefixed(encode(message, msg_id)))

    def log_out(self, *events: Message) -> None:
        """The simulator ends the account's session on every connection, and then sends *events* there."""
        for session in list(self.dependencies.sessions.values()):
            session.throw_out(self.settings.account_id)
            for event in events:
                session.send(event)

    def sent(self, request: str, connection: Connection | None = None) -> list[float]:
        """When the client sent a kind of message, on one connection or on all."""
        number = registry.lookup(request).number
        connections = [connection] if connection is not None else self.net.connections
        return [when for one in connections for when, kind in one.sent if kind == number]

    def most_requests_in_a_second(self) -> int:
        """The most requests that left on one connection in any window of one second, heartbeats not counted."""
        most = 0
        for connection in self.net.connections:
            times = [when for when, kind in connection.sent if kind != HEARTBEAT]
            start = 0
            for end, when in enumerate(times):
                while times[start] <= when - 1:
                    start += 1
                most = max(most, end - start + 1)
        return most
