"""Every attack, while fifty innocent clients are measured. ``HOSTILE=full`` has the full size and bounds."""

import pytest

from tests.hostile.attacks import ATTACKS
from tests.hostile.conftest import FULL
from tests.hostile.figures import FULL as FULL_LENGTH
from tests.hostile.figures import LADDER, Length, measure
from tests.hostile.rig import Stages

LENGTH = FULL_LENGTH if FULL else Length(0.7, 2.0, 0.1)
STEPS = LADDER if FULL else [(100, 1)]

TRIP_MS = 300.0
"""The bound of the reduced size. An attack that gets through costs seconds; what else such a machine does costs tens of
milliseconds, which are measured before the attack, and in the process that measures.
"""

ATTEMPTS = 1 if FULL else 3
"""An attack that gets through does so each time, a busy neighbour does not."""


@pytest.mark.parametrize(("connections", "addresses"), STEPS, ids=lambda n: str(n))
@pytest.mark.parametrize("attack", sorted(ATTACKS, key=lambda name: ATTACKS[name].stage))
def test_an_attack_is_not_felt(stages: Stages, attack: str, connections: int, addresses: int) -> None:
    """The others' round trip stays short, no tick and no connection is lost, memory and descriptors come back."""
    wrong: list[str] = []
    for _ in range(ATTEMPTS):
        figures = measure(stages.get(ATTACKS[attack].stage), attack, connections, addresses, LENGTH)
        own_ms = figures.phase("before")["trip"]["p99"] + figures.phase("during")["lag"]["p99"]
        wrong = figures.wrong(0.0 if FULL else TRIP_MS + own_ms)
        if not wrong:
            return
        stages.strike()
    pytest.fail(f"{wrong}: {figures}")
