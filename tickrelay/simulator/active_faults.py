"""The sustained faults that are on, as plain values that sessions and the broker read."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tickrelay.simulator.refusal import RequestRefused


@dataclass(slots=True)
class ActiveFaults:
    """By default no fault is on."""

    half_open: bool = False
    """Connections stay open, but nothing is read or sent."""
    silent_ticks: bool = False
    """No spot events, while heartbeats and answers go on."""
    delay_s: float = 0.0
    """Everything is sent this much later, in order."""
    late_ticks_s: float = 0.0
    """Ticks alone are sent this much later, with their own old time."""
    reordered: bool = False
    """Ticks are held for a moment and sent symbol by symbol; the order within a symbol is kept."""
    no_timestamps: bool = False
    hung: set[int] = field(default_factory=set)
    """Requests of these payload types are never answered; 0: none is."""
    refused: dict[int, Callable[[], RequestRefused]] = field(default_factory=dict)
    """Requests of these payload types are refused; 0: all of them."""
    closes_at_once: bool = False
    """New connections are closed as soon as they are made."""
    lingers_s: float = 0.0
    """An orderly close takes this long."""

    def refusal(self, payload_type: int) -> RequestRefused | None:
        """What a request of this type is refused with; None: it is served."""
        found = self.refused.get(payload_type) or self.refused.get(0)
        return found() if found else None
