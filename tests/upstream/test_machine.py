"""The machine: no state without a way back, no input that corrupts it, and a diagram that equals the code."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.model.status import FeedState
from tickrelay.upstream.errors import Cause, Kind
from tickrelay.upstream.machine import FEED_STATES, INPUTS, TRANSITIONS, State, make_machine

CAUSE = Cause(Kind.NETWORK, "a cause")
NEXT = {(source, happens.__name__): target for sources, happens, target in TRANSITIONS for source in sources}


class Recorder:
    """A core that records the machine's outputs."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.ignored: list[tuple[State, str]] = []

    def enter(self, state: State, cause: Cause | None) -> None:
        """Kept."""
        self.state = state

    def ignore(self, state: State, name: str) -> None:
        """Kept."""
        assert state is self.state
        self.ignored.append((state, name))


def give(machine: object, name: str) -> None:
    """Give an input by name."""
    arguments = [CAUSE] if name in ("drop", "gone") else []
    getattr(machine, name)(*arguments)


def test_every_state_but_stopped_leads_back_to_connecting() -> None:
    """By losing the connection and the retry that follows, without an operator."""
    reach = {State.CONNECTING}
    for _ in State:
        reach |= {
            source for (source, name), target in NEXT.items() if target in reach and name not in ("start", "stop")
        }
    assert set(State) - reach == {State.IDLE, State.STOPPING, State.STOPPED}
    assert NEXT[State.IDLE, "start"] in reach
    assert NEXT[State.STOPPED, "start"] in reach


def test_only_the_connector_begins_a_connection() -> None:
    """And only when there is none: `connecting` is entered from `waiting` alone."""
    assert {key for key, target in NEXT.items() if target is State.CONNECTING} == {(State.WAITING, "connect_begun")}


def test_every_state_is_seen_outside_under_its_own_name() -> None:
    """Every state of the machine has its FeedState, and no FeedState is left over."""
    assert set(FEED_STATES) == set(State)
    assert set(FEED_STATES.values()) == set(FeedState)


@given(st.lists(st.sampled_from([happens.__name__ for happens in INPUTS]), max_size=60))
def test_no_sequence_of_inputs_corrupts_it(names: list[str]) -> None:
    """Legal inputs follow the table, all others change nothing and are counted; none raises."""
    core = Recorder()
    machine = make_machine(core)
    for name in names:
        before, ignored = core.state, len(core.ignored)
        give(machine, name)
        if (before, name) in NEXT:
            assert core.state is NEXT[before, name] and len(core.ignored) == ignored
        else:
            assert core.state is before and core.ignored[-1] == (before, name)


def test_the_table_has_no_row_twice() -> None:
    """One target for each state and input."""
    rows = [(source, happens) for sources, happens, _ in TRANSITIONS for source in sources]
    assert len(rows) == len(set(rows))
    assert {happens for _, happens, _ in TRANSITIONS} == set(INPUTS)
    assert len(list(product(State, INPUTS))) > len(rows)


def test_the_drawing_in_the_documentation_is_the_machine() -> None:
    """docs/session.rst is drawn by tools/draw_session.py; run it after a change of the table."""
    root = Path(__file__).parents[2]
    page = root / "docs" / "session.rst"
    if not page.exists():
        pytest.skip("not in a checkout")
    names: dict[str, object] = {}
    exec((root / "tools" / "draw_session.py").read_text(), names)
    assert names["redrawn"](page.read_text()) == page.read_text()  # type: ignore[operator]
    assert names["picture"]() == (root / "docs" / "session.svg").read_text()  # type: ignore[operator]
