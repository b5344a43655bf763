"""How long to wait before the next connection, by the cause of the last loss.

After network errors with full jitter, so that the clients of a restarted server do not reconnect in one wave; slowly
where an operator must correct something; after the announced end of a maintenance. Retries never end.
"""

import random
from dataclasses import dataclass, field

from tickrelay.model.clock import Clock
from tickrelay.upstream.errors import Cause, Kind

MAINTENANCE_LEAST_S, MAINTENANCE_MOST_S = 5.0, 900.0


@dataclass
class Backoff:
    """The delays of one service; each kind of cause counts its own failures in a row. Times in seconds."""

    clock: Clock
    network_s: tuple[float, float] = (0.5, 60.0)
    credentials_s: tuple[float, float] = (60.0, 900.0)
    certificate_s: tuple[float, float] = (30.0, 900.0)
    limit_s: tuple[float, float] = (60.0, 900.0)
    maintenance_s: tuple[float, float] = (30.0, MAINTENANCE_MOST_S)
    rng: random.Random = field(default_factory=random.Random)
    _failures: dict[Kind, int] = field(default_factory=dict)

    def delay(self, cause: Cause) -> float:
        """Seconds to wait after this failure."""
        failures = self._failures.get(cause.kind, 0)
        self._failures[cause.kind] = failures + 1
        least, most = self._bounds(cause.kind)
        # 2 ** 1024 would be an OverflowError, years from now.
        ceiling: float = min(most, least * 2.0 ** min(failures, 30))
        if cause.kind in (Kind.NETWORK, Kind.STALE):
            return self.rng.uniform(0, ceiling)
        if cause.kind is Kind.MAINTENANCE and cause.until_s:
            wait = min(max(cause.until_s - self.clock.wall_ms() / 1000, MAINTENANCE_LEAST_S), MAINTENANCE_MOST_S)
            return wait + self.rng.uniform(0, 2)
        # What must not be hurried waits its whole time; jitter only adds.
        return min(most, max(ceiling, cause.least_s) * self.rng.uniform(1, 1.1))

    def reset(self) -> None:
        """The session has been live for a while: the next failure is a first one."""
        self._failures.clear()

    def _bounds(self, kind: Kind) -> tuple[float, float]:
        return {
            Kind.NETWORK: self.network_s,
            Kind.STALE: self.network_s,
            Kind.CREDENTIALS: self.credentials_s,
            Kind.REFUSED: self.credentials_s,
            Kind.CERTIFICATE: self.certificate_s,
            Kind.CONNECTION_LIMIT: self.limit_s,
            Kind.MAINTENANCE: self.maintenance_s,
        }[kind]
