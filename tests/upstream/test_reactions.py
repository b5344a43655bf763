"""The reaction to an error, by its class and the session's state."""

import pytest

from twisted.internet.defer import CancelledError

from tickrelay.upstream.errors import (
    ERROR_CLASSES,
    Cause,
    ErrorClass,
    Kind,
    LinkLost,
    OpenApiError,
    RequestTimeout,
    SessionFailed,
)
from tickrelay.upstream.machine import FLOWING, State
from tickrelay.upstream.reactions import SESSION_WIDE, Reaction, reaction


@pytest.mark.parametrize("code", [*ERROR_CLASSES, "SOMETHING_NEW"])
@pytest.mark.parametrize("state", [None, *State])
def test_every_code_has_a_reaction_in_every_state(code: str, state: State | None) -> None:
    """What the session cannot go on without ends it, unless authorising the account again can help."""
    error = OpenApiError(code)
    chosen = reaction(error, state)
    assert chosen is not Reaction.IGNORE, "an answer must not pass unseen"
    needed = reaction(error, state, needed=True)
    assert needed is (Reaction.REAUTHORISE if chosen is Reaction.REAUTHORISE else Reaction.DROP)


@pytest.mark.parametrize("state", [None, *State])
def test_a_refused_token_is_renewed_only_while_spots_flow(state: State | None) -> None:
    """During the logon the authorizer has renewed it already, without success."""
    expected = Reaction.REAUTHORISE if state in FLOWING else Reaction.DROP
    assert reaction(OpenApiError("CH_ACCESS_TOKEN_INVALID"), state) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ALREADY_SUBSCRIBED", Reaction.ACCEPT),
        ("ACCOUNT_NOT_AUTHORIZED", Reaction.REAUTHORISE),
        ("CH_CLIENT_NOT_AUTHENTICATED", Reaction.DROP),
        ("SERVER_IS_UNDER_MAINTENANCE", Reaction.DROP),
        ("CONNECTIONS_LIMIT_EXCEEDED", Reaction.DROP),
        ("BLOCKED_PAYLOAD_TYPE", Reaction.PAUSE),
        ("TIMEOUT_ERROR", Reaction.RETRY),
        ("SYMBOL_NOT_FOUND", Reaction.DIVIDE),
        ("INVALID_REQUEST", Reaction.DIVIDE),
        ("SOMETHING_NEW", Reaction.WARN),
    ],
)
def test_the_reaction_to_a_code(code: str, expected: Reaction) -> None:
    """One code of each class; a code that no table has is logged and never sent again."""
    assert reaction(OpenApiError(code), State.LIVE) is expected
    assert (expected in SESSION_WIDE) is (expected in (Reaction.DROP, Reaction.REAUTHORISE))


def test_every_class_has_a_code() -> None:
    """So the test over all codes asks for the reaction of every class."""
    assert {ERROR_CLASSES.get(code, ErrorClass.UNKNOWN) for code in [*ERROR_CLASSES, ""]} == set(ErrorClass)


@pytest.mark.parametrize("needed", [False, True])
@pytest.mark.parametrize("state", [None, *State])
def test_what_is_no_answer(state: State | None, needed: bool) -> None:
    """A lost connection is ignored here; a deadline, a failed step and a defect end the connection."""
    assert reaction(LinkLost(), state, needed=needed) is Reaction.IGNORE
    for error in (RequestTimeout(), SessionFailed(Cause(Kind.REFUSED, "no")), ZeroDivisionError(), CancelledError()):
        assert reaction(error, state, needed=needed) is Reaction.DROP
