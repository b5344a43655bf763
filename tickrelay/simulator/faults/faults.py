"""The list of faults (`FAULTS`), shared by script, control endpoint and documentation, and what runs them (`Faults`).

Each was reported by users of the live server.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tickrelay.model.errors import SettingError
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.faults import one_shot, sustained
from tickrelay.simulator.faults.script import Statement, parse
from tickrelay.simulator.faults.sustained import Effect, Words

MAX_RUNNING = 1000
"""Faults that are on, or due, at the same time."""
MANY = 10_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the list of faults."""

    name: str
    run: Callable[[SimulatedBroker, Words], Effect | None]
    about: str
    words: int
    """How many arguments it takes at most."""
    lasts: bool
    """It can be given a duration with ``for``."""
    complete: Callable[[Statement], Statement] = lambda statement: statement
    """Adds defaults to a statement, such as its duration (else: until ``clear``). Raises SettingError."""


def _first_line(run: Callable[..., object]) -> str:
    return (run.__doc__ or "").strip().partition("\n")[0]


def _one_shot(name: str, run: Callable[[SimulatedBroker, Words], None], words: int = 0) -> Fault:
    return Fault(name, run, _first_line(run), words, lasts=False)


def _sustained(
    name: str,
    run: Callable[[SimulatedBroker, Words], Effect],
    words: int = 0,
    complete: Callable[[Statement], Statement] = lambda statement: statement,
) -> Fault:
    return Fault(name, run, _first_line(run), words, True, complete)


def _flag(name: str, attribute: str, about: str) -> Fault:
    return Fault(name, partial(sustained.set_fault, attribute, True), about, 0, lasts=True)


def _delay(name: str, attribute: str, default_s: float, about: str) -> Fault:
    run = partial(sustained.set_duration, attribute, default_s)
    return Fault(name, run, f"{about} (default {default_s:g}s).", 1, lasts=True)


FAULTS = {
    fault.name: fault
    for fault in (
        _one_shot("drop", one_shot.drop),
        _one_shot("reset", one_shot.reset),
        _one_shot("half-open", one_shot.half_open),
        _flag("deaf", "half_open", "Nothing is read or sent, on new connections neither."),
        _flag("silent-ticks", "silent_ticks", "No ticks; heartbeats and answers go on."),
        _delay("slow", "delay_s", 2.0, "Everything is sent this much later"),
        _delay("late", "late_ticks_s", 2.0, "Ticks alone are sent this much later"),
        _flag("reorder", "reordered", "Ticks are held for 0.2 s and sent symbol by symbol."),
        _flag("no-timestamps", "no_timestamps", "Spot events carry no time."),
        _delay("slow-close", "lingers_s", 5.0, "An orderly close takes this long"),
        _flag("no-connections", "closes_at_once", "New connections are closed at once."),
        _one_shot("garbage", one_shot.garbage),
        _one_shot("garbage-spot", one_shot.garbage_spot),
        _one_shot("overlong", one_shot.overlong, 1),
        _one_shot("empty-frame", one_shot.empty_frame),
        _one_shot("unknown-type", one_shot.unknown_type),
        _sustained("hang", sustained.hang, MANY),
        _sustained("refuse", sustained.refuse, MANY),
        _sustained("rate-limit", sustained.rate_limit, 2),
        _sustained("maintenance", sustained.maintenance, 3, sustained.with_duration),
        _one_shot("token-expired", one_shot.token_expired),
        _one_shot("token-invalidated", one_shot.token_invalidated, MANY),
        _one_shot("account-disconnect", one_shot.account_disconnect, MANY),
        _one_shot("client-disconnect", one_shot.client_disconnect, MANY),
        _one_shot("symbol-changed", one_shot.symbol_changed, 2),
        _sustained("burst", sustained.burst, 1, lambda s: replace(s, for_s=s.for_s or 5.0)),
        _sustained("markets-closed", sustained.markets_closed, 1),
    )
}


def check(script: str) -> list[Statement]:
    """The statements of a script, with defaults filled in. Raises SettingError for an unknown fault or argument."""
    return [_checked(statement) for statement in parse(script)]


def _checked(statement: Statement) -> Statement:
    name = statement.fault
    fault = FAULTS.get(name)
    if fault is None and name != "clear":
        raise SettingError(f"fault script: no fault {name!r}; there are clear, {', '.join(FAULTS)}")
    most = fault.words if fault is not None else 0
    if len(statement.arguments) > most:
        raise SettingError(f"fault script: {statement}: {statement.arguments[most]!r} is one word too many")
    if statement.for_s and (fault is None or not fault.lasts):
        raise SettingError(f"fault script: {statement}: {name} is over at once: leave out the time it lasts")
    if fault is None:
        return statement
    try:
        return fault.complete(statement)
    except SettingError as e:
        raise SettingError(f"fault script: {statement}: {e}") from None


class Faults:
    """Runs the faults of one broker. Timers are on *clock*; at most `MAX_RUNNING` are on or due at a time."""

    _log = Logger()

    def __init__(self, broker: SimulatedBroker, clock: IReactorTime) -> None:
        self._broker = broker
        self._clock = clock
        self._sustained: dict[int, tuple[Statement, Effect, IDelayedCall | None]] = {}
        self._due: set[IDelayedCall] = set()
        self._count = 0

    def run(self, script: str) -> list[Statement]:
        """Start a script: its times count from now. Raises SettingError, and then nothing of it runs."""
        statements = check(script)
        if len(self._due) + len(self._sustained) + len(statements) > MAX_RUNNING:
            raise SettingError(f"fault script: more than {MAX_RUNNING} faults at a time")
        for statement in statements:
            if statement.at_s:
                self._later(statement.at_s, statement)
            else:
                self._do(statement)
        return statements

    def clear(self) -> None:
        """End every sustained fault and cancel those that are due."""
        for due in self._due:
            due.cancel()
        self._due.clear()
        ended, self._sustained = self._sustained, {}
        for _, effect, call in ended.values():
            if call is not None:
                call.cancel()
            effect.end()

    @property
    def sustained(self) -> list[str]:
        """The faults that are on, as statements."""
        return [str(statement) for statement, _, _ in self._sustained.values()]

    def _later(self, wait_s: float, statement: Statement) -> None:
        def run() -> None:
            self._due.discard(call)
            if statement.every_s:
                self._later(statement.every_s, statement)
            try:
                self._do(statement)
            except SettingError as e:
                self._log.error("fault {fault}: {error}", fault=str(statement), error=e)

        call = self._clock.callLater(wait_s, run)
        self._due.add(call)

    def _do(self, statement: Statement) -> None:
        self._log.info("fault: {fault}", fault=str(statement))
        if statement.fault == "clear":
            self.clear()
            return
        try:
            effect = FAULTS[statement.fault].run(self._broker, statement.arguments)
        except SettingError as e:
            raise SettingError(f"fault script: {statement}: {e}") from None
        if effect is None:
            return
        effect.begin()
        self._count += 1
        call = self._clock.callLater(statement.for_s, self._end, self._count) if statement.for_s else None
        self._sustained[self._count] = (statement, effect, call)

    def _end(self, number: int) -> None:
        _, ended, _ = self._sustained.pop(number)
        ended.end()
        for _, effect, _ in self._sustained.values():
            effect.begin()  # Both may have set the same attribute: the one that is still on counts.
