"""Keeps garbage collections rare while thousands of clients join, and frees the memory of those who have left."""

import ctypes
import gc
from collections.abc import Callable

from twisted.application.service import Service

from tickrelay.admission.ledger import Ledger
from tickrelay.model.clock import Clock
from tickrelay.model.periodic import PeriodicJobs

FEWEST_GONE = 100
"""Connections that must have ended before a full collection, where fewer are open."""

MIDDLE_COLLECTIONS = 1_000
"""CPython's third threshold (`gc.set_threshold`), of itself 10. It counts objects that were made and stayed, not
garbage: 1,800 clients that join reach 10.
"""


def _malloc_trim() -> Callable[[int], int] | None:
    """The function of glibc; None: the process has another allocator."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # Windows raises the second, other C libraries on UNIX the third
        return None
    return trim


trim_heap = _malloc_trim()


def collect() -> None:
    """Collect all cyclic garbage, and give the memory that is free back to the system.

    glibc itself gives back only the end of its heap: one small block that lives there keeps all that was free below it
    (125 MB, 20 s long, after 500 clients that had asked for all symbols). Takes some 0.1 ms a MB given back.
    """
    gc.collect()
    if trim_heap is not None:
        trim_heap(0)


class GarbageService(Service):
    """While it runs, a full collection comes after clients have left, and never because clients have come.

    It takes some 12 µs a connected client. CPython (3.11) makes one whenever the objects that stayed are a quarter more
    than after the last, and it looks at all that was imported each time. Here what was there at the start is left out
    for good. What leaves garbage is the end of a connection, above all over TLS (a traceback in each Failure); so a
    full collection is due when as many have ended as are open. That bounds the garbage by the size of what is in use.
    """

    def __init__(self, ledger: Ledger, clock: Clock, collect: Callable[[], object] = collect) -> None:
        self._ledger = ledger
        self._collect = collect
        self._collected_at = 0
        """`Ledger.ended` at the last full collection."""
        self._jobs = PeriodicJobs(clock.monotonic_s, clock.call_later, 1.0, {"garbage": self.collect_if_due})
        self._thresholds = gc.get_threshold()

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._thresholds = gc.get_threshold()
        self._collect()
        gc.freeze()
        gc.set_threshold(*self._thresholds[:2], MIDDLE_COLLECTIONS)
        self._jobs.start()

    def stopService(self) -> None:
        """Leave the rest to CPython."""
        super().stopService()
        self._jobs.stop()
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def collect_if_due(self) -> None:
        """Make a full collection if enough connections have ended since the last."""
        ledger = self._ledger
        if ledger.ended - self._collected_at >= max(FEWEST_GONE, ledger.connections):
            self._collected_at = ledger.ended
            self._collect()
