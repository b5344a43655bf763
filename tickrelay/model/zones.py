"""Time zones by name, of which a broker may send any: unknown ones are remembered for a minute, not for ever."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from twisted.logger import Logger

MAX_ZONES = 256
AGAIN_S = 60.0
"""How long a zone that could not be loaded counts as unknown. Its file may be readable later: the process may have been
out of file descriptors."""


class Zones:
    """Loads zones with *load*, such as `zoneinfo.ZoneInfo`; time comes in as Unix seconds."""

    _log = Logger()

    def __init__(self, load: Callable[[str], ZoneInfo]) -> None:
        self._load = load
        self._found: dict[str, ZoneInfo] = {}
        self._missing: dict[str, float] = {}
        """Name -> when it could not be loaded."""
        self._warned_s: float | None = None

    def find(self, name: str, now_s: float) -> ZoneInfo | None:
        """The zone called *name*, UTC for an empty one; None where there is none, or its file cannot be read now."""
        found = self._found.get(name)
        if found is not None:
            return found
        tried_s = self._missing.get(name)
        # The wall clock may have been set back since.
        if tried_s is not None and 0 <= now_s - tried_s < AGAIN_S:
            return None
        if max(len(self._found), len(self._missing)) >= MAX_ZONES:
            self._found.clear()
            self._missing.clear()
        try:
            # KeyError: not there; ValueError: no name of a file below the zones' folder, or no zone in it; OSError:
            # a folder, no right to read it, or no file descriptor left.
            found = self._found[name] = self._load(name or "UTC")
        except (KeyError, ValueError, OSError) as e:
            self._missing[name] = now_s
            if self._warned_s is None or not 0 <= now_s - self._warned_s < AGAIN_S:
                self._warned_s = now_s
                self._log.warn("trading hours in the time zone {name!r} are unknown: {error}", name=name, error=str(e))
            return None
        self._missing.pop(name, None)
        return found
