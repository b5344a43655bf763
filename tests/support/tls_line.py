"""The client's end of a TLS connection, for clients with a thread that reads and one that writes, as websockets' are.

Python's ssl (3.11) does not bear that. Of opening requests that were sent while another thread was reading, some got an
end of file in place of their answer (one in a few hundred on a busy machine; none of 2,500 from one thread).
"""

import contextlib
import select
import socket
import ssl
from threading import Thread

BUFFER_BYTES = 8_192
"""Of the plain socket: what a client that does not read keeps here, and not in the kernel's buffers of the server."""


def tls_line(trust: ssl.SSLContext, raw: socket.socket) -> tuple[socket.socket, str | None]:
    """Do the handshake with ``localhost`` on *raw*, a TCP connection.

    Returns a plain socket for the client, whose bytes one thread encrypts and decrypts until either side closes, and
    the protocol that ALPN has chosen (None: none).
    """
    secure = trust.wrap_socket(raw, server_hostname="localhost")
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    Thread(target=_pump, args=(secure, theirs), daemon=True).start()
    return ours, secure.selected_alpn_protocol()


def _pump(secure: ssl.SSLSocket, plain: socket.socket) -> None:
    with secure, plain, contextlib.suppress(OSError):  # a reset is an end
        while True:
            # OpenSSL may hold data that select knows nothing of.
            ready = [secure] if secure.pending() else select.select([secure, plain], [], [])[0]
            if plain in ready:
                data = plain.recv(65_536)
                if not data:
                    return
                secure.settimeout(None)
                secure.sendall(data)
            if secure in ready:
                secure.settimeout(0)  # what came may be half a record, or none of data
                try:
                    data = secure.recv(65_536)
                except ssl.SSLWantReadError:
                    continue
                if not data:
                    return
                plain.sendall(data)
