"""Protocol v1 in JSON text frames: basic's fields, and what v1 adds."""

from tickrelay.errors import ErrorCode
from tickrelay.ticks import Tick
from tickrelay.wire import frames, json_requests
from tickrelay.wire.basic import Templates, encode
from tickrelay.wire.messages import AnyMessage
from tickrelay.wire.prices import units
from tickrelay.wire.requests import BadRequest, Request


class V1Json:
    """The encoding behind the subprotocol ``tickrelay.v1.json``, or ``"protocol":1``."""

    name = "v1.json"
    subprotocol = "tickrelay.v1.json"
    version = 1
    binary = False

    def __init__(self, epoch: str) -> None:
        self._templates = Templates()
        mark = encode(epoch).replace(b"%", b"%%")
        self._tail = b',"epoch":%b,"seq":%%d' % mark
        self._sourced_tail = b',"sourceTs":%%d,"epoch":%b,"seq":%%d' % mark

    def tick(self, tick: Tick) -> bytes:
        """The frame of a tick that follows the client's last one."""
        return frames.text(self._body(tick) + b"}")

    def newest(self, tick: Tick, conflated: int) -> bytes:
        """The frame of a tick into which *conflated* earlier ones were merged."""
        if not conflated:
            return self.tick(tick)
        return frames.text(self._body(tick) + b',"conflated":%d}' % conflated)

    def snapshot(self, tick: Tick, age_ms: int) -> bytes:
        """The frame of a tick sent again on subscribing, received *age_ms* ago."""
        return frames.text(self._body(tick) + b',"snapshot":true,"ageMs":%d}' % age_ms)

    def _body(self, tick: Tick) -> bytes:
        symbol, template, text = self._templates.of(tick.symbol)
        bid, ask = units(tick.bid, tick.ask, symbol.digits)
        body = template % (text[bid], text[ask], text[ask - bid], tick.timestamp_ms)
        if tick.source_ms:
            return body + self._sourced_tail % (tick.source_ms, tick.seq)
        return body + self._tail % tick.seq

    def message(self, message: AnyMessage) -> bytes:
        """The frame of a message."""
        return frames.text(encode(message))

    def parse(self, payload: bytes, binary: bool) -> Request:
        """The request in a client's frame. Raises BadRequest."""
        if binary:
            raise BadRequest(ErrorCode.BAD_REQUEST, "expected a text frame")
        return json_requests.parse_v1(payload)
