"""The state of the feed: the six status values of the client protocol and the finer states of the feed."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The six values that a client can see in ``status``; a client of the basic protocol knows no others."""

    WS_CONNECTING = "ws-connecting"
    WS_OPEN = "ws-open"
    CTRADER_CONNECTING = "ctrader-connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"


class FeedState(StrEnum):
    """Where the cTrader session stands; finer than Status, for v1's ``feed``, logs and metrics."""

    IDLE = "idle"
    CONNECTING = "connecting"
    APPLICATION_AUTH = "application-auth"
    ACCOUNT_AUTH = "account-auth"
    SYMBOLS = "symbols"
    RESTORING = "restoring"
    LIVE = "live"
    DEGRADED = "degraded"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One transition of the feed, as reported to the relay and by it to the clients."""

    status: Status
    state: FeedState
    message: str = ""
    """For people: what is wrong and how to correct it. Never holds a secret."""
    upstream_code: str = ""
    """cTrader's own error code, where there is one."""
