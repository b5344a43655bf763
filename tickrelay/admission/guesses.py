"""Wrong tokens by address: beyond an allowance their refusals are delayed, one after another.

Delayed is the refusal only. A valid token is accepted at once, so those who share the address of a guesser are never
locked out. Meanwhile the guesser's connection takes a place of its address and is not listened to, so whoever waits for
refusals makes few guesses. Whoever does not wait pays a handshake for each, out of the address' account in the ledger;
no limit that spares the neighbours stops him, which is why tokens must be long.
"""

from collections.abc import Callable

from twisted.logger import Logger

from tickrelay.admission.ledger import block_of
from tickrelay.model.minute_counter import MinuteCounter

ALLOWANCE = 10
"""Wrong tokens of one address that are refused at once."""

PERIOD_S = 6.0
"""In such a time the allowance grows by one, and so many seconds lie between two delayed refusals of an address."""

MAX_DELAY_S = 30.0
"""Longest delay: a client must learn in the end that its token is wrong."""

MAX_ADDRESSES = 10_000
"""Addresses that are kept; beyond, the one whose first wrong token is longest ago is forgotten."""

LINES = 10
"""Log lines in a minute, of all addresses."""


class Guesses:
    """Counts wrong tokens by address (`block_of`), and logs who shows many, once a minute."""

    _log = Logger()

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._full_s: dict[str, float] = {}
        """By address: when its allowance is full again, monotonic seconds."""
        self._logged: MinuteCounter[str] = MinuteCounter(monotonic_s)
        """By address: its lines, or what would have been one."""

    def __len__(self) -> int:
        """How many addresses are kept."""
        return len(self._full_s)

    def delay_s(self, address: str) -> float:
        """Note a wrong token; returns by how many seconds to delay its refusal. 0: not at all."""
        now_s = self._monotonic_s()
        block = block_of(address)
        full_s = max(self._full_s.get(block, now_s), now_s) + PERIOD_S
        delay_s = min(max(full_s - now_s - ALLOWANCE * PERIOD_S, 0.0), MAX_DELAY_S)
        if block not in self._full_s and len(self._full_s) >= MAX_ADDRESSES:
            self._forget(now_s)
        # A wait that is cut off adds nothing, so that an address is free again within a bounded time.
        self._full_s[block] = min(full_s, now_s + ALLOWANCE * PERIOD_S + MAX_DELAY_S)
        if delay_s:
            self._report(block)
        return delay_s

    def _forget(self, now_s: float) -> None:
        """Drop the addresses whose allowance is full again; if there is none, the oldest."""
        self._full_s = {block: full_s for block, full_s in self._full_s.items() if full_s > now_s}
        while len(self._full_s) >= MAX_ADDRESSES:
            del self._full_s[next(iter(self._full_s))]

    def _report(self, block: str) -> None:
        self._logged.ended()
        if len(self._logged) < LINES and self._logged.add(block) == 1:
            self._log.warn(
                "more than {allowance} wrong tokens from {address}: their refusals are delayed",
                allowance=ALLOWANCE,
                address=block,
            )
