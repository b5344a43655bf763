"""One connection of an attacker: a raw socket in asyncio, which reads and sends exactly what the attack wants."""

import asyncio
import contextlib
import json
import socket
from typing import Any

from tests.hostile.innocent import Target, opening, socket_from
from tests.support.frames import frame, take_frames

CONNECT_TIMEOUT_S = 10.0
READ_BYTES = 65_536


class Line:
    """Connected, but nothing was sent on it. Every method raises OSError when the relay has ended the connection."""

    def __init__(self, target: Target, address: str, narrow: bool = False) -> None:
        """*narrow*: the kernel takes as little as it can for a client that does not read."""
        self.target = target
        self.address = address
        self.sent_bytes = 0
        self._sock = socket_from(address)
        if narrow:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._buffer = bytearray()
        self._reading: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(self._sock, ("127.0.0.1", self.target.port)), CONNECT_TIMEOUT_S)

    async def open(self, *lines: str, dialect: str = "json") -> None:
        """The opening handshake, with more header *lines*."""
        await self.send(opening(dialect, *self.target.lines(), *lines))
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += await self.read()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionRefusedError(head[:60])
        self._buffer[:] = rest

    async def send(self, data: bytes) -> None:
        """Send all of it, at the pace at which the relay reads."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)
        self.sent_bytes += len(data)

    async def say(self, **message: Any) -> None:
        """Send a JSON request."""
        await self.send(frame(json.dumps(message).encode()))

    async def read(self, most: int = READ_BYTES) -> bytes:
        """What came; waits for something."""
        data = await asyncio.get_running_loop().sock_recv(self._sock, most)
        if not data:
            raise ConnectionResetError("end of the stream")
        return data

    async def frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        while True:
            for opcode, payload in take_frames(self._buffer):
                return opcode, payload
            self._buffer += await self.read()

    async def answer(self, kind: str) -> dict[str, Any]:
        """The next JSON message of this type; others are dropped."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1 and f'"type":"{kind}"'.encode() in payload[:60]:
                message: dict[str, Any] = json.loads(payload)
                return message

    def swallow(self) -> None:
        """From now on read and drop everything in the background."""

        async def read() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await self.read()

        self._reading = asyncio.create_task(read())

    async def lost(self) -> None:
        """Wait until the relay ends the connection, reading nothing but what shows that."""
        if self._reading is not None:
            await self._reading
        else:
            with contextlib.suppress(OSError):
                while True:
                    await self.read()

    async def close(self) -> None:
        """End it. The reader first: the loop still knows the socket by a number that the next one may get."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._sock.close()
