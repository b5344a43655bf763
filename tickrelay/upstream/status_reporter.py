"""StatusReporter: the session's states as the status that clients see; each change is reported once."""

from tickrelay.model.feed import IFeedListener
from tickrelay.model.status import FeedStatus, Status
from tickrelay.upstream.errors import Cause, Kind
from tickrelay.upstream.machine import FEED_STATES, FLOWING, State


class StatusReporter:
    """Turns states and causes into FeedStatus values for the listener."""

    def __init__(self, listener: IFeedListener) -> None:
        self._listener = listener
        self._reported: FeedStatus | None = None
        self._trouble: Cause | None = None
        """What an operator must correct; stays through every slow retry until the session is authorised."""
        self._established = False

    def report(self, state: State, cause: Cause | None = None, message: str = "") -> None:
        """The session is in *state* now, because of *cause* where something failed."""
        if state is State.CONNECTING:
            self._established = False
        status, why, code = self._status(state, cause)
        new = FeedStatus(status, FEED_STATES[state], message or why, code)
        if new != self._reported:
            self._reported = new
            self._listener.status_changed(new)

    def _status(self, state: State, cause: Cause | None) -> tuple[Status, str, str]:
        if state in FLOWING:
            self._trouble, self._established = None, True
            return Status.CONNECTED, "", ""
        if state in (State.STOPPING, State.STOPPED):
            return Status.DISCONNECTED, "", ""
        if cause is not None:
            self._trouble = cause if cause.kind.needs_operator else None
            if self._trouble is None:
                status = Status.DISCONNECTED if self._established else Status.CTRADER_CONNECTING
                return status, cause.message, cause.code
        if self._trouble is not None:
            return Status.ERROR, self._trouble.message, self._trouble.code
        return Status.CTRADER_CONNECTING, "", ""


def loss_word(state: State, cause: Cause | None) -> str:
    """The word that clients see as the cause of a gap, when the session has left the flowing states for *state*."""
    if state is State.ACCOUNT_AUTH:
        return "account-disconnect"
    return "stale" if cause is not None and cause.kind is Kind.STALE else "upstream-disconnect"
