"""Which connections are accepted: by the origin of a page, and by their number, per address and in all.

A connection is *opening* until its handshake is done and its token, where one is required, was checked. Then it is
*inside*, and takes one of the places, or it is *refused*. Only those inside count against the places; the others have
bounds of their own, so that neither half-open handshakes nor refused connections grow without end.
"""

from collections.abc import Sequence

from tickrelay.admission.refusals import Refusal
from tickrelay.config.origins import normal

REFUSAL_ALLOWANCE_OF_ADDRESS = 20
"""Up to so many connections of one address beyond the limit complete the handshake, to receive a close code."""

REFUSAL_ALLOWANCE = 200
"""The same for all addresses together."""


class _Room:
    """The counts of one address, or of all addresses."""

    __slots__ = ("inside", "places", "refusal", "refusal_allowance", "refused", "total")

    def __init__(self, places: int, refusal_allowance: int, refusal: Refusal) -> None:
        self.places = places
        self.refusal_allowance = refusal_allowance
        self.refusal = refusal
        """Of whom there is no place for."""
        self.inside = 0
        self.refused = 0
        self.total = 0
        """Opening, inside and refused."""

    @property
    def is_full(self) -> bool:
        """Each opening connection may become one inside or one refused, so it counts against the sum of both."""
        return self.total >= self.places + self.refusal_allowance


class Slot:
    """One connection in the counts, from `Admission.arrive` until `leave`."""

    __slots__ = ("_address", "_admission", "_inside", "_refused")

    def __init__(self, admission: "Admission", address: str | None) -> None:
        self._admission = admission
        self._address = address
        self._inside = self._refused = False

    def move(self, address: str | None) -> Refusal | None:
        """Count an opening connection to another *address* than at its arrival; a Refusal: it was not moved."""
        if address == self._address:
            return None
        if address is not None:
            here = self._admission.room(address)
            if here.is_full:
                self._admission.forget(address)
                return here.refusal
            here.total += 1
        if self._address is not None:
            self._admission.room(self._address).total -= 1
            self._admission.forget(self._address)
        self._address = address
        return None

    def enter(self) -> Refusal | None:
        """Take a place; returns which limit is reached if there is none."""
        rooms = self._admission.rooms(self._address)
        for room in rooms:
            if room.inside >= room.places:
                return room.refusal
        self._inside = True
        for room in rooms:
            room.inside += 1
        return None

    def refuse(self) -> bool:
        """Count the connection as refused; False: too many are, abort it without a close code.

        One that is inside keeps its place until it is gone.
        """
        rooms = self._admission.rooms(self._address)
        if not (self._inside or self._refused):
            if any(room.refused >= room.refusal_allowance for room in rooms):
                return False
            self._refused = True
            for room in rooms:
                room.refused += 1
        return True

    def leave(self) -> None:
        """The connection is gone. Must be called once."""
        for room in self._admission.rooms(self._address):
            room.inside -= self._inside
            room.refused -= self._refused
            room.total -= 1
        if self._address is not None:
            self._admission.forget(self._address)


class Admission:
    """Keeps the counts of connections.

    *places*, *places_of_address*: how many may be inside, in all and of one address. *origins*: allowed origins of
    pages, without path; ``*`` stands for all.
    """

    def __init__(self, places: int, places_of_address: int, origins: Sequence[str]) -> None:
        self._all = _Room(places, REFUSAL_ALLOWANCE, Refusal.CONNECTION_LIMIT)
        self._of_address = places_of_address
        self._rooms: dict[str, _Room] = {}
        self._origins = frozenset(origins)

    def reconfigure(self, places: int, places_of_address: int, origins: Sequence[str]) -> None:
        """Use other limits and origins, for connections to come; those inside keep their places."""
        self._all.places = places
        self._of_address = places_of_address
        for room in self._rooms.values():
            room.places = places_of_address
        self._origins = frozenset(origins)

    def allows_origin(self, origin: str) -> bool:
        """Whether a page of this origin may connect. Programs send none, and may: only browsers enforce origins."""
        if not origin or "*" in self._origins:
            return True
        try:
            return normal(origin) in self._origins
        except ValueError:
            return False

    def arrive(self, address: str | None) -> Slot | Refusal:
        """Count a new connection from *address*; a Refusal: it was not counted, and must be aborted.

        None: a trusted proxy's own, which only the limit of all concerns, at least until its client is known.
        """
        rooms = self.rooms(address)
        for room in rooms:
            if room.is_full:
                if address is not None:
                    self.forget(address)
                return room.refusal
        for room in rooms:
            room.total += 1
        return Slot(self, address)

    def rooms(self, address: str | None) -> tuple[_Room, ...]:
        """The counts that concern connections of *address*."""
        return (self._all,) if address is None else (self.room(address), self._all)

    def room(self, address: str) -> _Room:
        """The counts of the address."""
        room = self._rooms.get(address)
        if room is None:
            room = self._rooms[address] = _Room(self._of_address, REFUSAL_ALLOWANCE_OF_ADDRESS, Refusal.ADDRESS_LIMIT)
        return room

    def forget(self, address: str) -> None:
        """Drop the counts of an address without connections."""
        if not self._rooms[address].total:
            del self._rooms[address]
