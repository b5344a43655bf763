"""A connection's own socket: for sends that bypass the transport, its options, and how far the client has read."""

import fcntl
import socket
import struct
import sys
import termios
from typing import Any

from twisted.internet.interfaces import ISSLTransport

from tickrelay.relay.outbox import Outbox

# Linux and macOS: with this socket option the kernel takes no more than so many bytes that it cannot send yet. Without
# it Linux autotunes the send buffer to megabytes, and a slow client reads prices as old as that buffer takes to drain.
_TCP_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_UNSENT_BYTES = 65_536

# struct tcp_info of linux/tcp.h: tcpi_bytes_acked at 120 (since Linux 4.1), tcpi_notsent_bytes at 144 (since 4.6).
# Other systems have another struct behind an option of this name.
_ACKED_AND_UNSENT = struct.Struct("=120xQ16xI")


# tcpi_state, the first byte of it: TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING (net/tcp_states.h).
_LEFT = (7, 8, 9, 11)


def own_socket(transport: Any) -> Any:
    """The socket of a connection, over TLS the one below it; None where there is none."""
    if ISSLTransport.providedBy(transport):
        transport = getattr(transport, "transport", None)  # TLS's own handle is an OpenSSL connection
    handle: Any = getattr(transport, "getHandle", lambda: None)()
    return handle if hasattr(handle, "send") else None


def set_options(handle: Any) -> None:
    """Let the socket *handle* send at once, and the kernel take little that it cannot send yet.

    TCP_NODELAY: Autobahn's own attempt fails unseen, since it reads its option before it is set (26.10).
    """
    if handle.family != socket.AF_UNIX:
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if _TCP_NOTSENT_LOWAT is not None:
            handle.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)


def reading(handle: Any) -> int:
    """A number that changes when the client at the other end of *handle* has read.

    Of TCP on Linux the bytes that the client's kernel acknowledged: once its receive buffer is full, it acknowledges
    more as fast as the client reads. Of a UNIX socket on Linux the bytes that the other end has not read. Elsewhere,
    and of no socket, always 0.
    """
    if not _tells(handle):
        return 0
    return _unread(handle) if handle.family == socket.AF_UNIX else _tcp_info(handle)[0]


def is_slow(outbox: Outbox, transport: Any) -> bool:
    """Whether what was sent to a client since the last call may have waited behind bytes that it reads slowly.

    True too of a client whose transport holds data and that reads nothing: the stuck timeout closes it.
    """
    was_blocked, outbox.was_blocked = outbox.was_blocked, outbox.blocked
    if was_blocked or outbox.blocked:
        return True
    handle = own_socket(transport)
    if not _tells(handle):
        return False
    waiting = _unread(handle) if handle.family == socket.AF_UNIX else _tcp_info(handle)[1]
    return waiting > 0 and outbox.is_read()


def has_left(handle: Any) -> bool:
    """Whether the client at the other end of *handle* has closed it; False where the kernel does not tell.

    Not to be had from reading before all was read that the client had sent.
    """
    if not _tells(handle) or handle.family == socket.AF_UNIX:
        return False
    try:
        return handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _LEFT
    except OSError:
        return True


def _tells(handle: Any) -> bool:
    """Whether the kernel tells how far the client of this socket has read."""
    return sys.platform == "linux" and isinstance(handle, socket.socket)


def _tcp_info(handle: socket.socket) -> tuple[int, int]:
    """Bytes acknowledged since the connection was made, and bytes that were not sent once; zeros of a closed socket."""
    try:
        return _ACKED_AND_UNSENT.unpack(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AND_UNSENT.size))
    except (OSError, struct.error):
        return 0, 0


def _unread(handle: socket.socket) -> int:
    """SIOCOUTQ (unix(7)); TIOCOUTQ is its other name."""
    try:
        return int(struct.unpack("=i", fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, ValueError):
        return 0
