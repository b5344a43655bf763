"""Sends the declaration of a gap to those who asked for it."""

from collections.abc import Callable, Iterable

from tickrelay.relay.outbox import Outbox
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import Gap


def send_gap(gap: Gap, subscribers: Iterable[Subscriber], send: Callable[[Outbox, bytes], None]) -> None:
    """*send* the frame of *gap* to each of *subscribers* with that feature, encoded once per encoding.

    Whoever is held by a request gets it behind the ticks that the request brings.
    """
    frames: dict[Encoding, bytes] = {}
    for subscriber in subscribers:
        if "gap" in subscriber.features:
            encoding = subscriber.encoding
            if encoding not in frames:
                frames[encoding] = encoding.message(gap)
            if subscriber.held is not None:
                subscriber.held.append(frames[encoding])
            else:
                send(subscriber.outbox, frames[encoding])
