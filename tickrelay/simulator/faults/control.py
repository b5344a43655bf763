"""The control endpoint: order faults over plain HTTP, on the loopback interface only.

``GET /`` is the server's state (JSON), ``POST /faults`` runs the statements of its body, ``DELETE /faults`` ends all
faults.
"""

import json
from typing import Any

from twisted.web.http import BAD_REQUEST, FORBIDDEN
from twisted.web.resource import Resource

from tickrelay.model.errors import SettingError
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.faults.faults import FAULTS, Faults

MAX_BODY_BYTES = 65_536


class _Guarded(Resource):
    """Refuses browsers: a web page could else send requests to a port of the loopback interface (DNS rebinding)."""

    def render(self, request: Any) -> bytes:
        """Refuse what a browser sends for a page, and foreign host names."""
        host = (request.getHeader("host") or "").rsplit(":", 1)[0]
        if request.getHeader("origin") or host not in ("127.0.0.1", "localhost"):
            request.setResponseCode(FORBIDDEN)
            return b"not for web pages\n"
        answer: bytes = super().render(request)
        return answer


class Control(_Guarded):
    """``/``: the state of the server."""

    def __init__(self, broker: SimulatedBroker, faults: Faults) -> None:
        super().__init__()
        self._broker = broker
        self._faults = faults
        self.putChild(b"", self)
        self.putChild(b"faults", FaultOrders(faults))

    def render_GET(self, request: Any) -> bytes:
        """Connections, faults that are on, the market's time."""
        broker = self._broker
        return _json(
            request,
            {
                "connections": [
                    {"number": number, "application": session.application, "accounts": sorted(session.accounts)}
                    for number, session in broker.sessions.items()
                ],
                "faults": self._faults.sustained,
                "market_time": broker.market_now(),
                "known_faults": {fault.name: fault.about for fault in FAULTS.values()},
            },
        )


class FaultOrders(_Guarded):
    """``/faults``: what is on, and orders."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def render_GET(self, request: Any) -> bytes:
        """The faults that are on."""
        return _json(request, {"faults": self._faults.sustained})

    def render_POST(self, request: Any) -> bytes:
        """Run the statements of the body."""
        body = request.content.read(MAX_BODY_BYTES + 1)
        try:
            if len(body) > MAX_BODY_BYTES:
                raise SettingError("the script is too long")
            done = self._faults.run(body.decode("utf-8", "replace"))
        except SettingError as e:
            request.setResponseCode(BAD_REQUEST)
            return _json(request, {"error": str(e)})
        return _json(request, {"done": [str(statement) for statement in done]})

    def render_DELETE(self, request: Any) -> bytes:
        """End every fault."""
        self._faults.clear()
        return _json(request, {"faults": []})


def _json(request: Any, value: object) -> bytes:
    request.setHeader("content-type", "application/json")
    return json.dumps(value, indent=1).encode() + b"\n"
