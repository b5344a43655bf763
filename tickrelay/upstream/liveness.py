"""Is the feed alive? Three clocks that are kept apart, and no timer: the caller passes the time in.

- The **link**: any bytes at all. A half-open connection carries none, not even the server's heartbeats.
- The **data**: spots of any symbol whose market is open. Heartbeats flow while a feed is dead; they never count.
- Each **symbol**: the age of its last spot, against its own rhythm.

A closed market is no fault: schedule, time zone, holidays and trading mode decide. A symbol whose hours are not known
is not judged, nor is a market that has just opened, nor a subscription whose first spots are not due yet. What looks
dead must look dead twice in a row: after the process itself slept, the bytes may be waiting in the socket.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tickrelay.model.schedule import Schedule
from tickrelay.model.ticks import Symbol

CHECK_S = 5.0
"""How often to look."""
OPENING_GRACE_S = 300.0
"""Brokers begin to quote some minutes after the opening in their schedule."""
MOST_PATIENCE_S = 4 * 3600.0
RHYTHM_FACTOR = 10.0
"""A symbol is silent when it had no spot for so many times its usual gap."""
UNKNOWN_RHYTHM_FACTOR = 5.0
"""Factor on the least deadline for a symbol that never had two spots, so that its gap is unknown."""
_DECAY = 0.98
_MOST_FRUITLESS = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found."""

    dead: tuple[int, ...] = ()
    """Every judged symbol, where the whole feed has been silent too long."""
    silent: tuple[int, ...] = ()
    """Symbols that are silent while others are not."""
    silent_s: float = 0.0


@dataclass(slots=True)
class _Rhythm:
    """What is known of a symbol's pace, across sessions."""

    last_spot_s: float = 0.0
    usual_gap_s: float = 0.0
    judged_since_s: float = 0.0
    patience_factor: float = 1.0
    """Doubled each time it was asked for again in vain."""
    renewed: bool = False
    """Asked for again: the next spot is the server's answer, not the market."""


@dataclass
class DataClock:
    """The data clock and the symbols' clocks. Times are monotonic seconds, but *wall_s* (Unix), which reads schedules.

    ``silence_s``: the least silence of an open market that counts as dead; ``symbol_silence_s``: of one symbol.
    """

    silence_s: float = 60.0
    symbol_silence_s: float = 600.0
    _rhythms: dict[str, _Rhythm] = field(default_factory=dict)
    _suspected: bool = False
    _fruitless: int = 0

    def begin(self) -> None:
        """A session begins: ids are new, what is known of each name's rhythm stays."""
        self._suspected = False
        for rhythm in self._rhythms.values():
            rhythm.judged_since_s = rhythm.last_spot_s = 0.0

    def check(
        self,
        now_s: float,
        wall_s: float,
        confirmed_s: Mapping[int, float],
        spots_s: Mapping[int, float],
        symbols: Mapping[int, Symbol],
    ) -> Verdict:
        """Look at the symbols that are confirmed (id -> since when): their last spots are in *spots_s*."""
        open_by_schedule: dict[int, bool] = {}
        judged: list[int] = []
        late: list[int] = []
        newest_spot_s, patience_s = 0.0, MOST_PATIENCE_S
        for symbol_id, since_s in confirmed_s.items():
            symbol = symbols.get(symbol_id)
            if symbol is None:
                continue
            rhythm = self._rhythms.setdefault(symbol.name, _Rhythm())
            self._learn(rhythm, spots_s.get(symbol_id, 0.0))
            if not self._is_judged(symbol.schedule, wall_s, open_by_schedule):
                rhythm.judged_since_s = 0.0
                continue
            rhythm.judged_since_s = rhythm.judged_since_s or now_s
            judged.append(symbol_id)
            last_spot_s = max(rhythm.last_spot_s, rhythm.judged_since_s, since_s)
            patience = self._patience(rhythm)
            newest_spot_s = max(newest_spot_s, last_spot_s)
            patience_s = min(patience_s, patience)
            if now_s - last_spot_s > max(self.symbol_silence_s, patience) * rhythm.patience_factor:
                late.append(symbol_id)
        silent_s = now_s - newest_spot_s if judged else 0.0
        if judged and silent_s > patience_s * 2.0**self._fruitless:
            if self._suspected:
                return Verdict(dead=tuple(judged), silent_s=silent_s)
            self._suspected = True
            return Verdict()
        self._suspected = False
        return Verdict(silent=tuple(late), silent_s=silent_s)

    def asked_again(self, names: Iterable[str]) -> None:
        """These symbols were silent and are subscribed anew; the first spot of each only repeats the last price."""
        for name in names:
            rhythm = self._rhythms.setdefault(name, _Rhythm())
            rhythm.patience_factor = min(rhythm.patience_factor * 2, 64)
            rhythm.renewed = True

    def reconnected_in_vain(self) -> None:
        """The feed was dead and a new connection is made for it: be more patient should that not help either."""
        self._fruitless = min(self._fruitless + 1, _MOST_FRUITLESS)

    def flows(self) -> None:
        """Spots are known to flow."""
        self._fruitless = 0

    def _learn(self, rhythm: _Rhythm, spot_s: float) -> None:
        if spot_s <= rhythm.last_spot_s:
            return
        if rhythm.last_spot_s and rhythm.judged_since_s:
            if rhythm.renewed:
                rhythm.renewed = False
            else:
                rhythm.usual_gap_s = max(spot_s - rhythm.last_spot_s, rhythm.usual_gap_s * _DECAY)
                rhythm.patience_factor = 1.0
        rhythm.last_spot_s = spot_s

    def _patience(self, rhythm: _Rhythm) -> float:
        if not rhythm.usual_gap_s:
            return self.silence_s * UNKNOWN_RHYTHM_FACTOR
        return min(max(self.silence_s, RHYTHM_FACTOR * rhythm.usual_gap_s), MOST_PATIENCE_S)

    def _is_judged(self, schedule: Schedule, wall_s: float, known: dict[int, bool]) -> bool:
        key = id(schedule)
        if key not in known:
            known[key] = (
                schedule.is_known(wall_s) and schedule.is_open(wall_s) and schedule.is_open(wall_s - OPENING_GRACE_S)
            )
        return known[key]


class LinkState:
    """Answers of `LinkClock.check`."""

    ALIVE = "alive"
    PROBE = "probe"
    DEAD = "dead"


@dataclass
class LinkClock:
    """The link clock. ``silence_s``: after that long without a byte the link is dead; at two thirds it is probed."""

    silence_s: float = 90.0
    _probed: bool = False

    def check(self, now_s: float, last_frame_s: float) -> str:
        """`LinkState.PROBE`: ask the other end for any answer. `DEAD` comes only after a probe."""
        silent_s = now_s - last_frame_s
        if silent_s < self.silence_s * 2 / 3:
            self._probed = False
            return LinkState.ALIVE
        if not self._probed:
            self._probed = True
            return LinkState.PROBE
        return LinkState.DEAD if silent_s >= self.silence_s - CHECK_S else LinkState.ALIVE
