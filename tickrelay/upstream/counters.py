"""Counters: plain integers, cheap enough for the way of a tick; the metrics read them."""

from dataclasses import dataclass, field

from tickrelay.model.histogram import Histogram
from tickrelay.model.status import FeedState

REQUEST_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of `Counters.request_s`: a request takes at least a round trip, and its deadline is near the last."""


@dataclass(slots=True)
class Counters:
    """Counted since the service was made; times are seconds of the injected monotonic clock, 0 for never."""

    state: FeedState = FeedState.IDLE
    frames: int = 0
    spots: int = 0
    foreign_spots: int = 0
    """Spot events of another account: dropped."""
    heartbeats: int = 0
    """Heartbeats received."""
    requests: int = 0
    request_errors: int = 0
    request_timeouts: int = 0
    rate_limited: int = 0
    """Answers that asked for a pause."""
    protocol_errors: int = 0
    """Frames that are not what they announce."""
    unknown_types: int = 0
    """Frames of a payload type that this schema does not have: ignored."""
    late_answers: int = 0
    """Answers to requests whose deadline had passed: ignored."""
    request_s: Histogram = field(default_factory=lambda: Histogram(REQUEST_BOUNDS_S))
    """From a request's leaving to its answer, in seconds; of requests that were answered in time."""
    ignored_inputs: int = 0
    """Events that came too late for the state the session was in."""
    connects: int = 0
    connect_failures: int = 0
    reconnects: int = 0
    """Times the session went live again."""
    losses: int = 0
    """Times an established connection ended, whoever ended it."""
    account_losses: int = 0
    stale_feeds: int = 0
    stale_symbols: int = 0
    token_renewals: int = 0
    last_frame_s: float = 0.0
    live_since_s: float = 0.0
