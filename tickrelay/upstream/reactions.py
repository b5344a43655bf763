"""What an error asks the session to do: one pure function, for every part of the package that meets an error.

`errors` sorts cTrader's codes into classes; here each class has its reaction. The sentence for people
stands in `causes`.
"""

from enum import StrEnum, auto

from tickrelay.upstream.errors import ErrorClass, LinkLost, OpenApiError
from tickrelay.upstream.machine import FLOWING, State


class Reaction(StrEnum):
    """What to do about an error."""

    IGNORE = auto()
    """The connection ended: it reports that itself, once, with the reason."""
    ACCEPT = auto()
    """The requested state already holds: treat as success."""
    PAUSE = auto()
    """Too many requests: wait as long as the answer asks, then send the request again."""
    RETRY = auto()
    """Temporary trouble at cTrader: send the request again later."""
    DIVIDE = auto()
    """Some item of the request may be refused, and the others not: send it again in parts. Never the same request."""
    WARN = auto()
    """The request alone has failed: log it; it is not sent again."""
    REAUTHORISE = auto()
    """The account's session ended, the connection did not: authorise the account again."""
    DROP = auto()
    """The connection is of no use any longer: abort it; its Cause decides when the next one is made."""


SESSION_WIDE = frozenset({Reaction.REAUTHORISE, Reaction.DROP})
"""More than a request has failed: whoever meets such an error hands it to the session."""

_BY_CLASS = {
    ErrorClass.SUCCESS: Reaction.ACCEPT,
    ErrorClass.TOKEN: Reaction.DROP,
    ErrorClass.REAUTH_ACCOUNT: Reaction.REAUTHORISE,
    ErrorClass.REAUTH_APPLICATION: Reaction.DROP,
    ErrorClass.FATAL_APPLICATION: Reaction.DROP,
    ErrorClass.FATAL_ACCOUNT: Reaction.DROP,
    ErrorClass.UNAVAILABLE: Reaction.DROP,
    ErrorClass.RATE: Reaction.PAUSE,
    ErrorClass.RETRY: Reaction.RETRY,
    ErrorClass.SYMBOL: Reaction.DIVIDE,
    ErrorClass.CLIENT_BUG: Reaction.DIVIDE,
    ErrorClass.TRADING: Reaction.DIVIDE,
    ErrorClass.UNKNOWN: Reaction.WARN,
}


def reaction(error: BaseException, state: State | None = None, *, needed: bool = False) -> Reaction:
    """The reaction to *error* in *state* (None: asked by a part that knows no state and hands up what is SESSION_WIDE).

    *needed*: the session cannot go on without the answer, so that a request which is only refused ends it as well.
    Anything but an OpenApiError or LinkLost is `DROP`: a deadline that passed, or a defect of the relay.
    """
    if isinstance(error, LinkLost):
        return Reaction.IGNORE
    if not isinstance(error, OpenApiError):
        return Reaction.DROP
    found = _BY_CLASS[error.error_class]
    if error.error_class is ErrorClass.TOKEN and state in FLOWING:
        return Reaction.REAUTHORISE  # reads the token file again, and renews the token where it may
    if needed and found is not Reaction.REAUTHORISE:
        return Reaction.DROP
    return found
