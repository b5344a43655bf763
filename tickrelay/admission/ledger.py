"""Who uses the reactor's time: what clients cause is measured, charged to them, and done later for those who use most.

There is one reactor, so while it works for one client all others wait. Messages per second cannot bound that: one
message may cost a thousand times another. So each piece of work is timed and charged to the connection's account, the
account of its address, and that of all clients together. Charges are forgotten at a steady pace. A client that is over
is not refused: its work waits in a queue, of which at most `SLICE_S` is done in a reactor turn, an address at a time. A
client that is within its share is served at once, in the same turn. While no other work is due the queue is served
without a pause.

No work is interrupted. What may take long looks at `Payer.may_go_on` between its steps, and asks for another turn with
`Payer.later` when its time is used up.

An address' account outlives its connections, so that reconnecting brings no fresh start.
"""

import ipaddress
from collections import deque
from collections.abc import Callable

from tickrelay.model.clock import Clock

SLICE_S = 0.005
"""Work of the queue in one reactor turn, in all; a piece of work that has begun is finished."""

PIECE_S = 0.0025
"""Time of one piece of work, after which it must stop at its next step. With `SLICE_S` it bounds a reactor turn."""

ADDRESS_SHARE, ADDRESS_BURST_S = 0.1, 0.02
"""An address is over with more than this burst on its account; so many seconds are forgotten in a second."""

ALL_SHARE, ALL_BURST_S = 0.5, 0.1
"""The same for all addresses together. While they are over, so is each that has more than `MODEST_S`."""

MODEST_S = 0.002
"""An address that used less is served at once, whatever all the others use."""

MAX_IDLE_ACCOUNTS = 10_000
"""Accounts without connections that are kept; beyond, the one that was left longest ago is forgotten."""


class Account:
    """Seconds of the reactor's time that were used, less what was forgotten since."""

    __slots__ = ("_at_s", "_share", "_used_s")

    def __init__(self, share: float, now_s: float) -> None:
        self._share = share
        self._used_s = 0.0
        self._at_s = now_s

    def used_s(self, now_s: float) -> float:
        """What is on the account at *now_s*, monotonic seconds."""
        self._used_s = max(0.0, self._used_s - (now_s - self._at_s) * self._share)
        self._at_s = now_s
        return self._used_s

    def charge(self, seconds: float, now_s: float) -> None:
        """Put *seconds* on the account."""
        self._used_s = self.used_s(now_s) + seconds


Waiting = deque[tuple["Payer", Callable[[], object]]]
"""Work, the first to be done first, and who pays for it."""


class AddressAccount(Account):
    """The account of one address; kept for as long as it has connections, waiting work, or anything on it."""

    __slots__ = ("begun", "connections", "key", "modest", "waiting")

    def __init__(self, key: str, now_s: float) -> None:
        super().__init__(ADDRESS_SHARE, now_s)
        self.key = key
        self.connections = 0
        self.begun: Waiting = deque()
        """The rest of work that was begun: done first, so that of many connections few hold half an answer."""
        self.modest: Waiting = deque()
        """Work of connections that used little: done before that of the others."""
        self.waiting: Waiting = deque()

    @property
    def has_work(self) -> bool:
        """Whether some work of the address waits."""
        return bool(self.begun or self.modest or self.waiting)


class Payer(Account):
    """One connection in the ledger, from `Ledger.payer` until `leave`, and its own account."""

    __slots__ = ("_account", "_ledger", "is_waiting", "left")

    def __init__(self, ledger: "Ledger", account: AddressAccount, now_s: float) -> None:
        super().__init__(ADDRESS_SHARE, now_s)
        self._ledger = ledger
        self._account = account
        self.is_waiting = False
        """Some work of this connection waits in the queue."""
        self.left = False

    @property
    def account(self) -> AddressAccount:
        """Of its address."""
        return self._account

    @property
    def is_over(self) -> bool:
        """Whether its work has to wait. Costs a reading of the clock."""
        return self._ledger.is_over(self._account)

    def may_go_on(self, now_s: float) -> bool:
        """Whether the work that is being done has time for another step at *now_s*, monotonic seconds.

        If not, it must ask for the rest with `later`. Work of `do` has no time at all while its payer is over.
        """
        return now_s < self._ledger.piece_ends_s

    def is_modest(self, now_s: float) -> bool:
        """Whether this connection used little, whatever its address used."""
        return self.used_s(now_s) <= MODEST_S

    def do(self, work: Callable[[], object]) -> None:
        """Do *work* now, measured and charged. Work within work is part of it."""
        self._ledger.measure(self, work)

    def later(self, work: Callable[[], object], begun: bool = False) -> None:
        """Do *work* in a later turn of the reactor; *begun*: it is the rest of a piece, and holds memory until done.

        A connection may have one piece of work waiting: it must not ask again before that was begun. Work of a
        connection that has left is dropped.
        """
        assert not self.is_waiting
        self.is_waiting = True
        self._ledger.enqueue(self, work, begun)

    def when_due(self, work: Callable[[], object]) -> bool:
        """Do *work*: at once and return True, or, for whoever is over, `later` and return False."""
        if not self._account.has_work and not self.is_over:
            self.do(work)
            return True
        self.later(work)
        return False

    def charge(self, seconds: float, now_s: float) -> None:
        """Put *seconds* on the accounts of the connection, of its address, and of all."""
        super().charge(seconds, now_s)
        self._account.charge(seconds, now_s)
        self._ledger.all.charge(seconds, now_s)

    def leave(self) -> None:
        """The connection is gone. Calling it again does nothing."""
        if not self.left:
            self.left = True
            self._ledger.leave(self._account)


class Ledger:
    """The accounts of all, and the queue of those who are over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.all = Account(ALL_SHARE, clock.monotonic_s())
        self.deferred = 0
        """Pieces of work that had to wait."""
        self.seconds = 0.0
        """All that was ever measured."""
        self.connections = 0
        """How many have an account open."""
        self.ended = 0
        """How many had one and are gone."""
        self.piece_ends_s = 0.0
        """Until when the present piece of work may take another step, monotonic seconds."""
        self._addresses: dict[str, AddressAccount] = {}
        self._idle: dict[str, None] = {}
        """Keys of the accounts without connections, the one that was left longest ago first."""
        self._queue: dict[AddressAccount, None] = {}
        """Addresses with waiting work; the first is served next."""
        self._is_serving = False
        self._is_measuring = False
        self._is_due = False
        """The present piece of work has waited for its turn."""

    def __len__(self) -> int:
        """How many addresses have an account."""
        return len(self._addresses)

    def payer(self, address: str) -> Payer:
        """Open an account for a connection from *address*, an IP address or any other text."""
        now_s = self._clock.monotonic_s()
        key = block_of(address)
        account = self._addresses.get(key)
        if account is None:
            account = self._addresses[key] = AddressAccount(key, now_s)
        self._idle.pop(key, None)
        account.connections += 1
        self.connections += 1
        return Payer(self, account, now_s)

    def is_over(self, account: AddressAccount, now_s: float | None = None) -> bool:
        """Whether the work of an address has to wait."""
        if now_s is None:
            now_s = self._clock.monotonic_s()
        used_s = account.used_s(now_s)
        return used_s > ADDRESS_BURST_S or (used_s > MODEST_S and self.all.used_s(now_s) > ALL_BURST_S)

    def measure(self, payer: Payer, work: Callable[[], object], is_due: bool = False) -> None:
        """Do *work* and charge the time it took to *payer*; *is_due*: it has waited for its turn."""
        if self._is_measuring:
            work()
            return
        self._is_measuring = True
        self._is_due = is_due
        started_s = self._clock.monotonic_s()
        may_work = is_due or not self.is_over(payer.account, started_s)
        self.piece_ends_s = started_s + PIECE_S if may_work else started_s
        try:
            work()
        finally:
            self._is_measuring = False
            now_s = self._clock.monotonic_s()
            self.seconds += now_s - started_s
            payer.charge(now_s - started_s, now_s)

    def wait_if_busy(self) -> None:
        """Have the present piece of work wait for its turn in the queue before its next step, whoever pays for it, if
        all clients together used more than `MODEST_S` of late.

        For work that many clients may ask for in one turn, each of them within its share.
        """
        if not self._is_due and self.all.used_s(self._clock.monotonic_s()) > MODEST_S:
            self.piece_ends_s = 0.0

    def enqueue(self, payer: Payer, work: Callable[[], object], begun: bool) -> None:
        """Let *work* wait for its address' turn: in it what was *begun* goes first, then modest connections."""
        account = payer.account
        if begun:
            account.begun.append((payer, work))
        elif payer.is_modest(self._clock.monotonic_s()):
            account.modest.append((payer, work))
        else:
            account.waiting.append((payer, work))
        self._queue[account] = None
        self.deferred += 1
        if not self._is_serving:
            self._is_serving = True
            self._clock.call_later(0, self._serve)

    def leave(self, account: AddressAccount) -> None:
        """A connection of the address is gone."""
        self.connections -= 1
        self.ended += 1
        account.connections -= 1
        if not account.connections:
            self._idle[account.key] = None
            if len(self._idle) > MAX_IDLE_ACCOUNTS:
                oldest = next(iter(self._idle))
                del self._addresses[oldest], self._idle[oldest]

    def forget_settled(self) -> None:
        """Drop the accounts of addresses that are gone and have nothing on them. Called once a second."""
        now_s = self._clock.monotonic_s()
        for key in [key for key in self._idle if not self._addresses[key].used_s(now_s)]:
            del self._addresses[key], self._idle[key]

    def _serve(self) -> None:
        """Do work of the queue for `SLICE_S`, an address at a time; the rest in the next turn, after what is due."""
        end_s = self._clock.monotonic_s() + SLICE_S
        try:
            while self._queue and self._clock.monotonic_s() < end_s:
                account = next(iter(self._queue))
                del self._queue[account]
                payer, work = (account.begun or account.modest or account.waiting).popleft()
                payer.is_waiting = False
                if account.has_work:
                    self._queue[account] = None  # behind the others
                if not payer.left:
                    self.measure(payer, work, is_due=True)
        finally:
            # An error of one job, which the reactor logs, must not end those of the others.
            self._is_serving = bool(self._queue)
            if self._is_serving:
                self._clock.call_later(0, self._serve)


def block_of(address: str) -> str:
    """Whose account *address* uses: an IPv4 address its own, an IPv6 address that of its /64, since one host has it."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
