"""Slots whose address is known only after they were counted: those that a trusted proxy speaks for."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tickrelay.admission.places import REFUSAL_ALLOWANCE, REFUSAL_ALLOWANCE_OF_ADDRESS, Admission, Slot
from tickrelay.admission.refusals import Refusal

ADDRESSES = st.sampled_from(["a", "b", None])


def test_a_trusted_proxy_has_the_limit_of_all_and_no_other() -> None:
    """Its connections are counted, opening and inside, and there is none of its address."""
    admission = Admission(2, 1, ())
    slots = [admission.arrive(None) for _ in range(2 + REFUSAL_ALLOWANCE)]
    assert all(isinstance(slot, Slot) for slot in slots)
    assert admission.arrive(None) is Refusal.CONNECTION_LIMIT
    entered = [slot.enter() for slot in slots[:3] if isinstance(slot, Slot)]
    assert entered == [None, None, Refusal.CONNECTION_LIMIT]
    assert admission._rooms == {}


def test_a_slot_that_is_moved_counts_to_its_client() -> None:
    """And to nobody else any more; where the client has too many, it stays where it was."""
    admission = Admission(1_000, 1, ())
    slots = [admission.arrive("proxy") for _ in range(1 + REFUSAL_ALLOWANCE_OF_ADDRESS)]
    assert admission.arrive("proxy") is Refusal.ADDRESS_LIMIT
    assert all(slot.move("client") is None for slot in slots if isinstance(slot, Slot))
    assert list(admission._rooms) == ["client"]
    late = admission.arrive(None)
    assert isinstance(late, Slot)
    assert late.move("client") is Refusal.ADDRESS_LIMIT
    assert late.move("other") is None
    late.leave()
    assert list(admission._rooms) == ["client"]


class Moves(RuleBasedStateMachine):
    """Connections come, are moved while they are opening, enter or are refused, and go, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(5, 3, ())
        self.opening: list[tuple[str | None, Slot]] = []
        self.others: list[tuple[str | None, Slot]] = []

    @rule(address=ADDRESSES)
    def arrive(self, address: str | None) -> None:
        """A TCP connection."""
        slot = self.admission.arrive(address)
        if isinstance(slot, Slot):
            self.opening.append((address, slot))

    @precondition(lambda self: self.opening)
    @rule(address=ADDRESSES)
    def move(self, address: str | None) -> None:
        """Its head was read."""
        before, slot = self.opening.pop(0)
        self.opening.append((before if slot.move(address) else address, slot))

    @precondition(lambda self: self.opening)
    @rule()
    def enter(self) -> None:
        """It takes a place, or is refused."""
        address, slot = self.opening.pop(0)
        if slot.enter() is None or slot.refuse():
            self.others.append((address, slot))
        else:
            slot.leave()

    @precondition(lambda self: self.opening or self.others)
    @rule()
    def leave(self) -> None:
        """One goes."""
        (self.opening or self.others).pop(0)[1].leave()

    @invariant()
    def everybody_is_counted_once(self) -> None:
        """To his address and in all."""
        everyone = [address for address, _ in self.opening + self.others]
        assert self.admission._all.total == len(everyone)
        for address in ("a", "b"):
            room = self.admission._rooms.get(address)
            assert (room.total if room else 0) == everyone.count(address)
            assert everyone.count(address) <= 3 + REFUSAL_ALLOWANCE_OF_ADDRESS


TestMoves = Moves.TestCase
