"""Whom a connection is counted to, and who pays for what it makes the reactor do: its peer, or whom a proxy names."""

from typing import Any

from twisted.logger import Logger

from tickrelay.admission.ledger import Payer
from tickrelay.admission.places import Slot
from tickrelay.admission.refusals import Refusal
from tickrelay.front.proxies import LOCAL, may_be_a_proxy
from tickrelay.front.shared import Shared


class Peer:
    """The other end of a connection; *transport* tells its address, *accepted_s* is when, in monotonic seconds."""

    _log = Logger()

    def __init__(self, shared: Shared, transport: Any, accepted_s: float) -> None:
        self._shared = shared
        self._transport = transport
        self._accepted_s = accepted_s
        self._is_located = False
        self.address = self._host()
        self.slot: Slot | None = None
        self.payer: Payer | None = None
        """None: a trusted proxy connected, whose client is not known yet."""

    def arrive(self) -> bool:
        """Count the connection; False: too many are open already, it must be aborted."""
        shared = self._shared
        is_proxy = shared.proxies.trusts(self.address)
        if not self._is_taken(shared.admission.arrive(None if is_proxy else self.address)):
            return False
        if not is_proxy:
            self.payer = shared.ledger.payer(self.address)
            now_s = shared.clock.monotonic_s()
            self.payer.charge(now_s - self._accepted_s, now_s)
        return True

    def locate(self, forwarded: str) -> bool:
        """At the first head: let the client whom a proxy speaks for be the one who is counted and who pays.

        *forwarded*: its X-Forwarded-For, or "". Returns False if too many connections of the client are open.
        """
        if self._is_located:
            return True
        self._is_located = True
        proxies = self._shared.proxies
        peer = self._host()  # behind the endpoint "haproxy:" it is only known now
        if forwarded and not proxies.trusts(peer):
            self._warn(peer)
        address = proxies.client(peer, forwarded)
        if self.payer is not None and address == self.address:
            return True
        assert self.slot is not None
        self.address = address
        if self.payer is not None:
            self.payer.leave()
        self.payer = self._shared.ledger.payer(address)
        return self._is_taken(self.slot.move(None if proxies.trusts(address) else address))

    def hand_on(self) -> tuple[str, Slot, Payer]:
        """Address, slot and payer, for whoever leaves them from now on."""
        assert self.slot is not None and self.payer is not None
        taken = self.address, self.slot, self.payer
        self.slot = self.payer = None
        return taken

    def leave(self) -> None:
        """The connection is gone."""
        if self.slot is not None:
            self.slot.leave()
        if self.payer is not None:
            self.payer.leave()

    def _is_taken(self, found: Slot | Refusal | None) -> bool:
        if isinstance(found, Refusal):
            self._shared.refusals.note(found, self.address, "too many connections are open or opening")
            return False
        self.slot = found or self.slot
        return True

    def _warn(self, peer: str) -> None:
        """Once, and of a peer that is near: strangers may send what they like."""
        if may_be_a_proxy(peer) and not self._shared.warned:
            self._shared.warned = True
            self._log.warn(
                "{peer} sends X-Forwarded-For and is no trusted proxy: if it is one, all its clients count as one "
                "address, against TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS, until TICKRELAY_TRUSTED_PROXIES names it",
                peer="a peer at a UNIX socket" if peer == LOCAL else peer,
            )

    def _host(self) -> str:
        return str(getattr(self._transport.getPeer(), "host", LOCAL))
