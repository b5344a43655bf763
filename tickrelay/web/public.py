"""The pages of the clients' port. Whoever reaches the port sees them: here belongs what needs no protection.

A head reaches them only after it was checked (`tickrelay.front`); no request has a body. What a page costs until its
``render`` returns is charged to the client's address, which is ``request.channel.transport.address``, behind a trusted
proxy too.
"""

from typing import Any

from twisted.web.server import Site

from tickrelay.admission.places import Admission
from tickrelay.admission.refusals import Refusals, origin_refusal
from tickrelay.web.page import TEXT, Answer, health, site_of


def site(admission: Admission, refusals: Refusals, reactor: Any = None) -> Site:
    """The pages. *reactor*: of their timers; None: the global one."""

    def start(request: Any) -> Answer:
        request.channel.persistent = False
        request.setHeader("connection", "close")
        origin = request.getHeader("origin") or ""
        if not admission.allows_origin(origin):
            refusal, text, detail = origin_refusal(origin)
            refusals.note(refusal, request.channel.transport.address, detail)
            return 403, TEXT, text.encode() + b"\n"
        request.responseHeaders.addRawHeader("connection", "upgrade")
        request.setHeader("upgrade", "websocket")
        return 426, TEXT, b"This is a WebSocket endpoint: upgrade with HTTP/1.1, Upgrade and Connection.\n"

    return site_of({b"": start, b"healthz": health}, reactor)
