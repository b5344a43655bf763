"""The session's states and which follows which; what is done in them stands in session.py.

The whole machine is the table `TRANSITIONS`: the picture in the documentation is drawn from it. An input that has no
row in some state came too late (the answer to a question of a connection that is gone): it changes nothing and is
counted. Every state but ``stopped`` has a way back to ``connecting``, and ``connecting`` is entered only by the
connector itself, when there is no other connection.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

from automat import TypeMachineBuilder

from tickrelay.model.status import FeedState
from tickrelay.upstream.errors import Cause


class State(StrEnum):
    """Where the session stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    APPLICATION_AUTH = "application-auth"
    ACCOUNT_AUTH = "account-auth"
    SYMBOLS = "symbols"
    RESTORING = "restoring"
    LIVE = "live"
    DEGRADED = "degraded"
    DROPPING = "dropping"
    """The connection is being ended; its socket is not gone yet."""
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"


FEED_STATES: dict[State, FeedState] = {
    **{state: FeedState(state.value) for state in State if state not in (State.DROPPING, State.STOPPING)},
    State.DROPPING: FeedState.WAITING,
    State.STOPPING: FeedState.STOPPED,
}
"""What the rest of the relay sees of each state."""


class Inputs(Protocol):
    """What can happen to a session."""

    def start(self) -> None:
        """The service starts."""

    def connect_begun(self) -> None:
        """The connector begins a connection."""

    def secured(self) -> None:
        """TLS is complete."""

    def application_accepted(self) -> None:
        """cTrader knows the application."""

    def account_accepted(self) -> None:
        """cTrader opened the account's session."""

    def symbols_known(self) -> None:
        """The symbol table is filled."""

    def restored(self) -> None:
        """All that clients want is subscribed."""

    def data_dead(self) -> None:
        """No spots, though the market is open."""

    def data_back(self) -> None:
        """Spots flow again."""

    def account_lost(self) -> None:
        """The account's session is gone, the connection is not."""

    def drop(self, cause: Cause) -> None:
        """The connection is of no use any longer."""

    def gone(self, cause: Cause) -> None:
        """The connection is gone, or could not be made."""

    def stop(self) -> None:
        """The service stops."""


class Core(Protocol):
    """What the machine acts on: the session."""

    def enter(self, state: State, cause: Cause | None) -> None:
        """The session is in *state* now."""

    def ignore(self, state: State, name: str) -> None:
        """An input came that means nothing in *state*."""


FLOWING = frozenset({State.RESTORING, State.LIVE, State.DEGRADED})
"""The states in which spots come and clients get the status ``connected``."""

_S = State
_AUTHORISED = (_S.SYMBOLS, _S.RESTORING, _S.LIVE, _S.DEGRADED)
_CONNECTED = (_S.APPLICATION_AUTH, _S.ACCOUNT_AUTH, *_AUTHORISED)

TRANSITIONS: tuple[tuple[tuple[State, ...], Callable[..., None], State], ...] = (
    ((_S.IDLE, _S.STOPPED), Inputs.start, _S.WAITING),
    ((_S.WAITING,), Inputs.connect_begun, _S.CONNECTING),
    ((_S.CONNECTING,), Inputs.secured, _S.APPLICATION_AUTH),
    ((_S.APPLICATION_AUTH,), Inputs.application_accepted, _S.ACCOUNT_AUTH),
    ((_S.ACCOUNT_AUTH,), Inputs.account_accepted, _S.SYMBOLS),
    ((_S.SYMBOLS,), Inputs.symbols_known, _S.RESTORING),
    ((_S.RESTORING,), Inputs.restored, _S.LIVE),
    ((_S.LIVE,), Inputs.data_dead, _S.DEGRADED),
    ((_S.DEGRADED,), Inputs.data_back, _S.LIVE),
    (_AUTHORISED, Inputs.account_lost, _S.ACCOUNT_AUTH),
    ((_S.CONNECTING, *_CONNECTED), Inputs.drop, _S.DROPPING),
    ((_S.CONNECTING, *_CONNECTED, _S.DROPPING), Inputs.gone, _S.WAITING),
    ((_S.IDLE, _S.WAITING), Inputs.stop, _S.STOPPED),
    ((_S.CONNECTING, *_CONNECTED, _S.DROPPING), Inputs.stop, _S.STOPPING),
    ((_S.STOPPING,), Inputs.gone, _S.STOPPED),
)

INPUTS = tuple(value for name, value in vars(Inputs).items() if callable(value) and not name.startswith("_"))


def _build() -> Callable[[Core], Inputs]:
    builder: Any = TypeMachineBuilder(Inputs, Core)
    states = {state: builder.state(state.value) for state in State}

    def enters(state: State) -> Callable[..., None]:
        def enter(inputs: Inputs, core: Core, cause: Cause | None = None) -> None:
            core.enter(state, cause)

        return enter

    def ignores(state: State, name: str) -> Callable[..., None]:
        def ignore(inputs: Inputs, core: Core, cause: Cause | None = None) -> None:
            core.ignore(state, name)

        return ignore

    known = set()
    for sources, happens, target in TRANSITIONS:
        for source in sources:
            states[source].upon(happens).to(states[target])(enters(target))
            known.add((source, happens))
    for state in State:
        for happens in INPUTS:
            if (state, happens) not in known:
                states[state].upon(happens).loop()(ignores(state, happens.__name__))
    machine: Callable[[Core], Inputs] = builder.build()
    return machine


make_machine = _build()
