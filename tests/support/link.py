"""The owner of one connection to cTrader, in memory."""

from collections import Counter

from twisted.python.failure import Failure

from tickrelay.upstream.protocol import OpenApiProtocol


class RecordingOwner:
    """Counts what the connection reports; keeps none of it, so that a million reports take no memory."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()

    def link_secured(self, link: OpenApiProtocol) -> None:
        """Counted."""
        self.told["secured"] += 1

    def link_garbled(self, link: OpenApiProtocol, reason: str) -> None:
        """Counted."""
        self.told["garbled"] += 1
        assert len(reason) < 200

    def link_lost(self, link: OpenApiProtocol, reason: Failure) -> None:
        """Counted."""
        self.told["lost"] += 1
