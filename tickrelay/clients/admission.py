"""Who may connect: pages by their origin, and so many clients from one address."""

from collections import Counter
from collections.abc import Sequence

HEARD_OUT = 20
"""Connections of an address beyond its share that may wait for the word that they are too many."""


class Admission:
    """Keeps the count of connections by address, and the list of origins."""

    def __init__(self, per_address: int, origins: Sequence[str]) -> None:
        self._per_address = per_address
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._connected: Counter[str] = Counter()

    def allows_origin(self, origin: str) -> bool:
        """May a page of this origin connect? Programs send none and may: a list guards browsers, not servers."""
        return not origin or "*" in self._origins or origin.rstrip("/").lower() in self._origins

    def enter(self, address: str) -> bool:
        """Count one more connection from *address*; False where there are far more than it may have.

        Those beyond its share are still heard out, so that they can be told why they must go.
        """
        self._connected[address] += 1
        return self._connected[address] <= self._per_address + HEARD_OUT

    def has_room(self, address: str) -> bool:
        """Is the address, with all that were counted, within its share?"""
        return self._connected[address] <= self._per_address

    def leave(self, address: str) -> None:
        """A connection that was counted is gone."""
        self._connected[address] -= 1
        if self._connected[address] <= 0:
            del self._connected[address]
