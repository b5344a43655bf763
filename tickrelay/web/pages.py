"""``/healthz``, ``/readyz`` and ``/metrics`` on the operators' port."""

import json
from collections.abc import Callable

from twisted.web.server import Request, Site

from tickrelay.web.page import Answer, health, site_of


def site(metrics: Callable[[], bytes], readiness: Callable[[], tuple[bool, dict[str, object]]]) -> Site:
    """The operators' pages.

    *metrics* returns the metrics in Prometheus' text format 0.0.4, *readiness* whether clients are served, with
    details that are shown as JSON.
    """

    def ready(_: Request) -> Answer:
        is_ready, details = readiness()
        return 200 if is_ready else 503, "application/json", json.dumps(details).encode() + b"\n"

    def current_metrics(_: Request) -> Answer:
        return 200, "text/plain; version=0.0.4; charset=utf-8", metrics()

    return site_of({b"healthz": health, b"readyz": ready, b"metrics": current_metrics})
