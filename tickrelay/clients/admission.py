"""Who may connect: pages by their origin, and so many clients from one address."""

from collections import Counter
from collections.abc import Sequence


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
        """Count one more client from *address*; False where it has as many as it may have."""
        if self._connected[address] >= self._per_address:
            return False
        self._connected[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A client that had entered is gone."""
        self._connected[address] -= 1
        if self._connected[address] <= 0:
            del self._connected[address]
