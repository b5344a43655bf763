"""Messages with a list that may be long: encoded in steps, or from items that were encoded before."""

from collections.abc import Generator, Sequence

from tickrelay.wire.encodings import Encoding
from tickrelay.wire.messages import AnyMessage, SubscribeResponse, Symbols, UnsubscribeResponse, list_of

STEP_ITEMS = 50
"""Items that are encoded in one step: about 0.3 ms in the slowest encoding."""


def pieces_in_steps(
    encoding: Encoding, message: AnyMessage, items: Sequence[bytes] | None = None
) -> Generator[None, None, list[bytes]]:
    """The frame of *message*, as `Encoding.message` makes it, in pieces; *items*: its list, by `Encoding.items`."""
    if not isinstance(message, SubscribeResponse | UnsubscribeResponse | Symbols):
        return [encoding.message(message)]
    if items is None:
        parts = list_of(message)
        if len(parts) <= STEP_ITEMS:
            return [encoding.message(message)]
        items = []
        for start in range(0, len(parts), STEP_ITEMS):
            items.append(encoding.items(type(message), parts[start : start + STEP_ITEMS]))
            yield
    return encoding.with_items(message, items)
