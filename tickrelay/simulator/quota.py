"""The rate limit of one connection's requests; historical ones are counted apart."""

from collections import deque

from tickrelay.openapi import registry
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.settings import Rules

WINDOW_S = 1.0


class Quota:
    """Counts requests over the last second: 50, and 5 historical ones, a connection (Open API documentation)."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._recent: dict[bool, deque[float]] = {True: deque(), False: deque()}
        self._blocked: dict[int, float] = {}

    def spend(self, payload_type: int, now_s: float) -> None:
        """Count a request. Raises RequestRefused with the time to wait; only that payload type is blocked then."""
        row = registry.find(payload_type)
        historical = row is not None and row.historical
        limit = self._rules.historical_per_s if historical else self._rules.requests_per_s
        recent = self._recent[historical]
        while recent and recent[0] <= now_s - WINDOW_S:
            recent.popleft()
        if now_s < self._blocked.get(payload_type, 0.0):
            raise self._refusal()
        if len(recent) >= limit:
            self._blocked[payload_type] = now_s + self._rules.retry_after_s
            raise self._refusal()
        recent.append(now_s)

    def _refusal(self) -> RequestRefused:
        # No account id: the limit is the connection's (seen on the live server). The older code had no retryAfter.
        old = self._rules.rate_code == "REQUEST_FREQUENCY_EXCEEDED"
        return RequestRefused(
            self._rules.rate_code,
            "You have reached the rate limit of requests",
            retry_after_s=0 if old else self._rules.retry_after_s,
        )
