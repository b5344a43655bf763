"""Faults on demand, by their names: `FAULTS` is the list that the documentation, the script and the control endpoint
share, `Faults` runs them. All of them were met by users of the real server.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tickrelay.model.errors import SettingError
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.faults import one_shot as sudden
from tickrelay.simulator.faults import sustained as lasting
from tickrelay.simulator.faults.script import Statement, parse
from tickrelay.simulator.faults.sustained import Effect, Words

MAX_RUNNING = 1000
"""Faults that are on, or due, at the same time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the list of faults."""

    name: str
    run: Callable[[SimulatedBroker, Words], Effect | None]
    about: str
    words: int = 0
    """How many words it takes at most."""
    complete: Callable[[Statement], Statement] = lambda statement: statement
    """Adds what a statement leaves to the fault, such as how long it lasts (else: for good, or over at once)."""


MANY = 10_000


def _fault(
    name: str,
    run: Callable[[SimulatedBroker, Words], Effect | None],
    about: str = "",
    words: int = 0,
    complete: Callable[[Statement], Statement] = lambda statement: statement,
) -> Fault:
    return Fault(name, run, about or (run.__doc__ or "").strip().partition("\n")[0], words, complete)


FAULTS = {
    fault.name: fault
    for fault in (
        _fault("drop", sudden.drop),
        _fault("reset", sudden.reset),
        _fault("half-open", sudden.half_open),
        _fault("deaf", partial(lasting.condition, "deaf", True), "Nothing is heard or said, on new connections too."),
        _fault(
            "silent-ticks", partial(lasting.condition, "silent_ticks", True), "No ticks; heartbeats and answers go on."
        ),
        _fault("slow", partial(lasting.timed, "delay_s", 2.0), "Everything is sent this much later (default 2s).", 1),
        _fault(
            "late", partial(lasting.timed, "late_ticks_s", 2.0), "Ticks alone are sent this much later (default 2s).", 1
        ),
        _fault(
            "reorder",
            partial(lasting.condition, "reordered", True),
            "Ticks are held a moment and sent symbol by symbol.",
        ),
        _fault("no-timestamps", partial(lasting.condition, "no_timestamps", True), "Spot events carry no time."),
        _fault(
            "slow-close", partial(lasting.timed, "lingers_s", 5.0), "An orderly close takes this long (default 5s).", 1
        ),
        _fault(
            "no-connections", partial(lasting.condition, "closes_at_once", True), "New connections are closed at once."
        ),
        _fault("garbage", sudden.garbage),
        _fault("garbage-spot", sudden.garbage_spot),
        _fault("overlong", sudden.overlong, words=1),
        _fault("empty-frame", sudden.empty_frame),
        _fault("unknown-type", sudden.unknown_type),
        _fault("hang", lasting.hang, words=MANY),
        _fault("refuse", lasting.refuse, words=MANY),
        _fault("rate-limit", lasting.rate_limit, words=2),
        _fault("maintenance", lasting.maintenance, words=3, complete=lasting.until_its_end),
        _fault("token-expired", sudden.token_expired),
        _fault("token-invalidated", sudden.token_invalidated, words=MANY),
        _fault("account-disconnect", sudden.account_disconnect, words=MANY),
        _fault("client-disconnect", sudden.client_disconnect, words=MANY),
        _fault("symbol-changed", sudden.symbol_changed, words=2),
        _fault("burst", lasting.burst, words=1, complete=lambda s: replace(s, for_s=s.for_s or 5.0)),
        _fault("markets-closed", lasting.markets_closed, words=1),
    )
}


def check(script: str) -> list[Statement]:
    """The statements of a script, completed, that names known faults only. Raises SettingError."""
    return [_checked(statement) for statement in parse(script)]


def _checked(statement: Statement) -> Statement:
    if statement.fault != "clear" and statement.fault not in FAULTS:
        raise SettingError(f"fault script: no fault {statement.fault!r}; there are clear, {', '.join(FAULTS)}")
    most = FAULTS[statement.fault].words if statement.fault in FAULTS else 0
    if len(statement.arguments) > most:
        raise SettingError(f"fault script: {statement}: {statement.arguments[most]!r} is one word too many")
    if statement.fault == "clear":
        return statement
    try:
        return FAULTS[statement.fault].complete(statement)
    except SettingError as e:
        raise SettingError(f"fault script: {statement}: {e}") from None


class Faults:
    """The faults of one broker: those that are on, and those that are due."""

    _log = Logger()

    def __init__(self, broker: SimulatedBroker, clock: IReactorTime) -> None:
        self._broker = broker
        self._clock = clock
        self._lasting: dict[int, tuple[Statement, Effect, IDelayedCall | None]] = {}
        self._due: set[IDelayedCall] = set()
        self._count = 0

    def run(self, script: str) -> list[Statement]:
        """Start a script: its times count from now. Raises SettingError, and then nothing of it runs."""
        statements = check(script)
        if len(self._due) + len(self._lasting) + len(statements) > MAX_RUNNING:
            raise SettingError(f"fault script: more than {MAX_RUNNING} faults at a time")
        for statement in statements:
            if statement.at_s:
                self._later(statement.at_s, statement)
            else:
                self._do(statement)
        return statements

    def clear(self) -> None:
        """End every fault that lasts, and forget those that are due."""
        for due in self._due:
            due.cancel()
        self._due.clear()
        lasting, self._lasting = self._lasting, {}
        for _, effect, call in lasting.values():
            if call is not None:
                call.cancel()
            effect.end()

    @property
    def lasting(self) -> list[str]:
        """The faults that are on, as statements."""
        return [str(statement) for statement, _, _ in self._lasting.values()]

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
        self._lasting[self._count] = (statement, effect, call)

    def _end(self, number: int) -> None:
        _, ended, _ = self._lasting.pop(number)
        ended.end()
        for _, effect, _ in self._lasting.values():
            effect.begin()  # the two may have set the same
