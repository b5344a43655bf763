"""Frames of replayed ticks, made once for all clients that resume at about the same time.

When a network comes back hundreds of clients resume within seconds, from nearly the same positions. So the frame of a
tick is made when it is replayed for the first time, and kept for the next ones. It is not the one of the flush: a live
frame in Protobuf does not name its symbol; and while nobody resumes nothing is made or kept.
"""

from collections.abc import Callable, Sequence

from tickrelay.model.ticks import Tick
from tickrelay.relay.channel import Channel
from tickrelay.wire.encodings import Encoding

KEPT_S = 10.0
"""How long the frames of a channel are kept after they were last used."""

MOST_KEPT = 100_000
"""Frames kept of all channels and encodings: 24 MB in JSON, 10 MB in Protobuf. Beyond, the channel that was replayed
longest ago loses its own.
"""


class _Kept:
    """Of one channel in one encoding."""

    __slots__ = ("frames", "used_s")

    def __init__(self) -> None:
        self.frames: dict[int, bytes] = {}
        """By sequence number."""
        self.used_s = 0.0
        """When a client was last sent some of them, monotonic seconds."""


class ReplayCache:
    """Of all channels and encodings. `sweep` is to be called each second.

    A channel whose symbol has another id loses its history: the frames of before are asked for no more.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._kept: dict[tuple[Encoding, Channel], _Kept] = {}
        """The one that was used longest ago first."""
        self._count = 0

    def __len__(self) -> int:
        """How many frames are kept."""
        return self._count

    def of(self, encoding: Encoding, channel: Channel, ticks: Sequence[Tick]) -> list[bytes]:
        """The frames of *ticks* of the channel's history, for a client that is sent each of them.

        At most as many are kept as the history has ticks, and those of one call.
        """
        key = (encoding, channel)
        kept = self._kept.pop(key, None) or _Kept()
        self._kept[key] = kept
        kept.used_s = self._monotonic_s()
        frames = kept.frames
        before = len(frames)
        most = channel.history.maxlen if channel.history is not None else None
        if most is not None and before > most:
            oldest = channel.seq - most
            kept.frames = frames = {seq: frame for seq, frame in frames.items() if seq > oldest}
        found = []
        for tick in ticks:
            frame = frames.get(tick.seq)
            if frame is None:
                # Not `tick`: it may leave out what an earlier frame has said, which this client was not sent.
                frame = frames[tick.seq] = encoding.newest(tick, 0)
            found.append(frame)
        self._count += len(frames) - before
        while self._count > MOST_KEPT:
            self._forget_oldest()
        return found

    def sweep(self) -> None:
        """Drop the frames that no client was sent for `KEPT_S`."""
        until_s = self._monotonic_s() - KEPT_S
        while self._kept and next(iter(self._kept.values())).used_s < until_s:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        self._count -= len(self._kept.pop(next(iter(self._kept))).frames)
