"""The language of faults: ``at 30s: drop; at 1m: hang account-auth for 20s; every 5m: reset``.

Statements are separated by ``;`` or line ends; ``#`` starts a comment. A statement is the name of a fault and its
arguments, with ``for DURATION`` after it where it is to last, and ``at TIME:`` or ``every TIME:`` before it (without
either: now). Durations are ``250ms``, ``30s``, ``5m``, ``1h``; a bare number counts seconds.
"""

import re
from dataclasses import dataclass

from tickrelay.model.errors import SettingError

MAX_DURATION_S = 366 * 86_400.0
"""A year: times sent to clients must fit into the fields of messages."""
_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_WHEN = re.compile(r"(at|every)\s+(\S+?)\s*:\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """One fault, and when. Times in seconds from the moment that the script starts."""

    fault: str
    arguments: tuple[str, ...] = ()
    at_s: float = 0.0
    every_s: float = 0.0
    """0: once."""
    for_s: float = 0.0
    """0: the fault's own default, or for good."""

    def __str__(self) -> str:
        last = f" for {self.for_s:g}s" if self.for_s else ""
        return " ".join((self.fault, *self.arguments)) + last


def duration_s(text: str) -> float:
    """``250ms`` -> 0.25; at most a year. Raises SettingError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise SettingError(f"{text!r} is no duration; write 250ms, 30s, 5m or 1h")
    seconds = float(found[1]) * _UNITS_S[found[2]]
    if seconds > MAX_DURATION_S:
        raise SettingError(f"{text!r} is longer than a year")
    return seconds


def parse(text: str) -> list[Statement]:
    """The statements of a script, in its order. Raises SettingError that shows the statement at fault."""
    statements = []
    for line in text.splitlines():
        for part in line.partition("#")[0].split(";"):
            if part.strip():
                statements.append(_statement(part.strip()))
    return statements


def _statement(text: str) -> Statement:
    at_s = every_s = for_s = 0.0
    rest = text
    try:
        if found := _WHEN.fullmatch(text):
            word, time, rest = found.groups()
            if word == "at":
                at_s = duration_s(time)
            else:
                at_s = every_s = duration_s(time)
                if every_s < 0.01:
                    raise SettingError("that is too often")
        words = rest.split()
        if len(words) >= 2 and words[-2] == "for":
            for_s = duration_s(words[-1])
            if not for_s:
                raise SettingError("it would last no time")
            words = words[:-2]
        if not words:
            raise SettingError("no fault is named")
    except SettingError as e:
        raise SettingError(f"fault script: {text!r}: {e}") from None
    return Statement(words[0], tuple(words[1:]), at_s, every_s, for_s)
