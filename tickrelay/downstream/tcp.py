"""A connection's own TCP socket, for sends that bypass the transport, and its options."""

import socket
from typing import Any

from twisted.internet.interfaces import ISSLTransport

# Linux and macOS: with this socket option the kernel takes no more than so many bytes that it cannot send yet. Without
# it Linux autotunes the send buffer to megabytes, and a slow client reads prices as old as that buffer takes to drain.
_TCP_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_UNSENT_BYTES = 65_536


def direct_socket(transport: Any) -> Any:
    """The socket of a plain connection, ready for ``send``; None where bytes must pass through the transport (TLS).

    Sets TCP_NODELAY: Autobahn's own attempt fails unseen, since it reads its option before it is set (26.10).
    """
    if ISSLTransport.providedBy(transport):
        return None
    handle = getattr(transport, "getHandle", lambda: None)()
    if handle is None or not hasattr(handle, "send"):
        return None
    if handle.family != socket.AF_UNIX:
        transport.setTcpNoDelay(True)
        if _TCP_NOTSENT_LOWAT is not None:
            handle.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    return handle
