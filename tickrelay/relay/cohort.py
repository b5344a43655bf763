"""Clients that get identical bytes, and the group per encoding that makes these bytes once.

The cost of a flush must depend on the number of sends, not of ticks: a block is joined once per symbol, the bytes of a
cohort once per cohort, whether a thousand clients share one list of symbols or each has its own.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter

from tickrelay.relay.channel import Channel
from tickrelay.relay.outbox import Outbox
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.encodings import Encoding

SENDS_A_LOOK = 128
"""Sends between two looks at the clock: about a millisecond."""


class Flush:
    """One flush, of all encodings: the clients that could not be served in the usual way."""

    __slots__ = ("_end_s", "_monotonic_s", "sends_left", "stalled", "unsent")

    def __init__(self, monotonic_s: Callable[[], float], end_s: float) -> None:
        self._monotonic_s = monotonic_s
        self._end_s = end_s
        self.sends_left = SENDS_A_LOOK
        """Until the next look at the clock; below 0: it is due, or the time is up."""
        self.stalled: list[tuple[Outbox, bytes, int]] = []
        """Clients whose socket did not take everything: (outbox, data, bytes taken; -1: all, but it is full)."""
        self.unsent: dict[Outbox, bytes] = {}
        """Clients that were not sent anything yet, and their data."""

    def in_time(self, outboxes: Iterable[Outbox], data: bytes) -> Iterator[Outbox]:
        """Those of *outboxes* that are to be sent *data* before the time is up; the others are left in `unsent`."""
        rest = iter(outboxes)
        while self._has_time() and (some := list(islice(rest, SENDS_A_LOOK))):
            yield from some
        self.unsent.update(dict.fromkeys(rest, data))

    def _has_time(self) -> bool:
        if self._monotonic_s() >= self._end_s:
            return False
        self.sends_left = SENDS_A_LOOK
        return True


class Cohort:
    """The clients of one encoding with one set of channels that all keep up."""

    __slots__ = ("channels", "key", "members", "pick")

    def __init__(self, key: frozenset[int], channels: tuple[Channel, ...]) -> None:
        self.key = key
        self.channels = channels
        # Outboxes, not subscribers: sending needs nothing else.
        self.members: dict[Outbox, None] = {}
        # With one index itemgetter gives the item itself and not a tuple: such a cohort's bytes are one block.
        self.pick = itemgetter(*key) if len(key) > 1 else None


class EncodingGroup:
    """The cohorts of one encoding. The fan-out has one group per encoding, and calls it once per flush."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.sends = 0
        self.bytes = 0
        self._cohorts: dict[frozenset[int], Cohort] = {}
        self._of_channel: list[dict[Cohort, None]] = []
        self._blocks: list[bytes] = []

    def add_channel(self) -> None:
        """One more channel exists; its index is the next one."""
        self._of_channel.append({})
        self._blocks.append(b"")

    def join(self, subscriber: Subscriber, channels: Iterable[Channel]) -> None:
        """Make *subscriber* a member of the cohort of exactly these *channels*."""
        by_index = {channel.index: channel for channel in channels}
        key = frozenset(by_index)
        cohort = self._cohorts.get(key)
        if cohort is None:
            cohort = self._cohorts[key] = Cohort(key, tuple(by_index.values()))
            for index in key:
                self._of_channel[index][cohort] = None
        cohort.members[subscriber.outbox] = None
        subscriber.cohort = cohort.key

    def leave(self, subscriber: Subscriber) -> Iterable[Channel]:
        """Remove *subscriber* from its cohort, which it must have, and the cohort with its last member.

        Returns the channels of the cohort.
        """
        key, subscriber.cohort = subscriber.cohort, None
        assert key is not None
        cohort = self._cohorts[key]
        del cohort.members[subscriber.outbox]
        if not cohort.members:
            del self._cohorts[key]
            for index in key:
                del self._of_channel[index][cohort]
        return cohort.channels

    def send(self, dirty: Iterable[Channel], flush: Flush) -> None:
        """Send the pending ticks of the *dirty* channels to each cohort that has one of them, as far as time allows."""
        if not self._cohorts:
            return
        tick = self.encoding.tick
        wanted = [channel for channel in dirty if self._of_channel[channel.index]]
        if len(wanted) == 1:
            (channel,) = wanted
            self._deliver(self._of_channel[channel.index], b"".join(map(tick, channel.pending)), flush)
            return
        blocks = self._blocks
        for channel in wanted:
            blocks[channel.index] = b"".join(map(tick, channel.pending))
        for cohort in self._touched(wanted):
            pick = cohort.pick
            if pick is not None:
                data = b"".join(pick(blocks))
            else:
                (index,) = cohort.key
                data = blocks[index]
            if data:
                self._deliver((cohort,), data, flush)
        for channel in wanted:
            blocks[channel.index] = b""

    def _touched(self, channels: list[Channel]) -> Iterable[Cohort]:
        """The cohorts that have one of *channels*; all cohorts where that is cheaper than collecting these."""
        of_channel = self._of_channel
        if sum(len(of_channel[channel.index]) for channel in channels) >= len(self._cohorts):
            return self._cohorts.values()
        touched: dict[Cohort, None] = {}
        for channel in channels:
            touched.update(of_channel[channel.index])
        return touched

    def _deliver(self, cohorts: Iterable[Cohort], data: bytes, flush: Flush) -> None:
        size = len(data)
        for cohort in cohorts:
            outboxes: Iterable[Outbox] = cohort.members
            sends = len(cohort.members)
            self.sends += sends
            self.bytes += sends * size
            flush.sends_left -= sends
            if flush.sends_left < 0:
                outboxes = flush.in_time(outboxes, data)
            for outbox in outboxes:
                try:
                    taken = outbox.send(data)
                except OSError:
                    # The send buffer is full (EAGAIN), or the connection is broken: then the transport gets the same
                    # error when it writes, and reports it.
                    taken = 0
                if taken != size:
                    # Removing the client here would change the dict that is iterated: the fan-out does it afterwards.
                    flush.stalled.append((outbox, data, taken))
