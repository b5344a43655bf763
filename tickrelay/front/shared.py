"""What the connections of the clients' port have in common; made by `tickrelay.service`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickrelay.admission.ledger import Ledger, Payer
from tickrelay.admission.places import Admission, Slot
from tickrelay.admission.refusals import Refusals
from tickrelay.front.proxies import TrustedProxies
from tickrelay.model.clock import Clock


@dataclass(kw_only=True)
class Shared:
    """What counts and measures, and what makes the protocols behind the front."""

    admission: Admission
    ledger: Ledger
    refusals: Refusals
    clock: Clock
    proxies: TrustedProxies
    head_timeout_s: float
    make_websocket: Callable[[str, Slot, Payer], Any]
    """Makes the protocol of a WebSocket client: its address, its slot and payer, which the protocol must leave."""
    make_channel: Callable[[], Any]
    """Makes an HTTPChannel of twisted.web."""
    warned: bool = False
    """Of a proxy that is not trusted."""
