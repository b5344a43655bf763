"""The watchdog's jobs: an error in one ends neither it nor the other."""

from typing import Any

import pytest

from twisted.logger import LogEvent

from tickrelay.upstream.liveness import DataClock
from tickrelay.upstream.protocol import OpenApiProtocol


@pytest.mark.parametrize(("owner", "method", "job"), [
    (DataClock, "check", "upstream_watchdog"),
    (OpenApiProtocol, "heartbeat", "upstream_heartbeat"),
])  # fmt: skip
def test_an_error_is_lived_through(
    rig: Any, monkeypatch: pytest.MonkeyPatch, expected_failures: list[LogEvent], owner: Any, method: str, job: str
) -> None:
    """A check or a heartbeat that raises is logged once, counted, and made again at the next beat."""
    rig.go_live("EURUSD")
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, lambda *_: 1 / 0)
        rig.run(25, 0.1)
    errors = {name: count for jobs in rig.service.jobs for name, count in jobs.errors.items()}
    assert errors.pop(job) >= 2 and not any(errors.values())
    assert [event["job"] for event in expected_failures] == [job]
    expected_failures.clear()
    before = len(rig.sent("ProtoHeartbeatEvent"))
    rig.run(25, 0.1)
    assert len(rig.sent("ProtoHeartbeatEvent")) >= before + 2
    assert rig.state == "live"
