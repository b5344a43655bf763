"""Protocol v1 in binary frames: Protobuf, schema in ``proto/tickrelay.proto``."""

from tickrelay.ticks import Tick
from tickrelay.wire.messages import AnyMessage
from tickrelay.wire.requests import Request


class V1Protobuf:
    """The encoding behind the subprotocol ``tickrelay.v1.protobuf``."""

    name = "v1.protobuf"
    subprotocol = "tickrelay.v1.protobuf"
    version = 1
    binary = True

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick that follows the client's last one."""
        raise NotImplementedError

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame of a tick into which *conflated* earlier ones were merged."""
        raise NotImplementedError

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The frame of a tick sent again on subscribing, received *age_ms* ago."""
        raise NotImplementedError

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message."""
        raise NotImplementedError

    def parse(self, payload: bytes, binary: bool) -> Request:
        """The request in a client's frame. Raises BadRequest."""
        raise NotImplementedError
