"""What a stranger may try: each attack a function that is called with a new connection again and again.

An attack goes on until it raises OSError (the relay has ended the connection) or returns; then the attacker connects
anew. A row of `ATTACKS` says what else it needs.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import choice, choices
from string import ascii_letters

from tests.hostile.feed import TICKING, symbol_name
from tests.hostile.innocent import request_frame
from tests.hostile.line import Line
from tests.support.frames import frame

NAMES_A_REQUEST = 1_000
PATTERNS_A_REQUEST = 20
FRAMES_A_BLOCK = 5_000


async def pongs_after_close(line: Line) -> None:
    """Get a close frame, with 4502, and send empty pongs in place of its answer."""
    await line.open("Sec-WebSocket-Protocol: unheard-of", dialect="basic")
    await _flood(line, frame(b"", 10) * FRAMES_A_BLOCK)


async def pongs(line: Line) -> None:
    """Send empty pongs on an open connection."""
    await line.open()
    await _flood(line, frame(b"", 10) * FRAMES_A_BLOCK)


async def pings(line: Line) -> None:
    """Send empty WebSocket pings, each of which has an answer."""
    await line.open()
    await _flood(line, frame(b"", 9) * FRAMES_A_BLOCK)


async def fragments(line: Line) -> None:
    """Send a ping request in hundreds of fragments of one byte or none."""
    await line.open()
    text = b'{"type":"ping"}'
    first, *others = (frame(text[n : n + 1], 1 if n == 0 else 0, fin=False) for n in range(len(text)))
    message = first + b"".join(others) + frame(b"", 0, fin=False) * 900 + frame(b"", 0)
    await _flood(line, message * 5)


async def requests(line: Line) -> None:
    """Send the cheapest request as fast as the relay reads."""
    await line.open()
    await _flood(line, frame(b'{"type":"ping"}') * 1_000)


async def names(line: Line) -> None:
    """Subscribe a thousand names, of symbols that are there and that are not, over and over."""
    await line.open()
    asked = [symbol_name(n) if n % 2 else f"no-such {n:05d}" for n in range(1, NAMES_A_REQUEST + 1)]
    await _flood(line, request_frame({"type": "subscribe", "symbols": asked}) * 4)


async def patterns(line: Line) -> None:
    """Subscribe twenty patterns a message, which match nothing and take long to find that out."""
    await line.open()
    asked = [f"*F*E*E*D*0*{n}*x" for n in range(PATTERNS_A_REQUEST)]
    await _flood(line, request_frame({"type": "subscribe", "symbols": asked}) * 20)


async def symbol_lists(line: Line) -> None:
    """Ask for the description of every symbol, in binary, over and over."""
    await line.open(dialect="protobuf")
    await _flood(line, request_frame({"type": "getSymbols"}, "protobuf") * 200)


async def reconnects(line: Line) -> None:
    """Connect, send a burst of requests, and come back without a history."""
    await line.open()
    await line.send(frame(b'{"type":"ping"}') * 200)
    for _ in range(3):
        await line.frame()


async def resumes(line: Line) -> None:
    """Subscribe the symbols of the innocents from a position long ago, take some of the replay, and come back."""
    await line.open()
    symbols = [symbol_name(n) for n in range(1, TICKING + 1)]
    await line.say(type="connect", protocol=1)
    await line.say(type="subscribe", symbols=symbols)
    results = (await line.answer("subscribeResponse"))["results"]
    await line.say(type="unsubscribe", symbols=symbols)
    await line.answer("unsubscribeResponse")
    known = [result for result in results if result["status"] == "subscribed"]
    resume = {r["symbol"]: {"epoch": r["epoch"], "seq": max(1, r["seq"] - 990)} for r in known}
    await line.say(type="subscribe", symbols=symbols, resume=resume)
    await line.answer("subscribeResponse")
    for _ in range(200):
        await line.frame()


async def half_open(line: Line) -> None:
    """Connect and say nothing."""
    await line.lost()


async def slowloris(line: Line) -> None:
    """Send the opening request a byte at a time."""
    line.swallow()
    for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Header: value\r\n" * 100:
        await line.send(bytes([byte]))
        await asyncio.sleep(0.2)


async def hit_and_run(line: Line) -> None:
    """Connect and close at once."""


async def big_heads(line: Line) -> None:
    """Send an opening request of almost 16 KiB, in as many header lines as the relay takes."""
    padding = [f"X-{''.join(choices(ascii_letters, k=8))}: {'v' * 150}" for _ in range(90)]
    await line.open(*padding)


async def plain_requests(line: Line) -> None:
    """Ask for pages over HTTP."""
    await line.send(b"GET /" + choice(ascii_letters).encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await line.read()


async def token_guesses(line: Line) -> None:
    """Show a guessed token in the opening request."""
    await line.open(f"Authorization: Bearer {''.join(choices(ascii_letters, k=24))}")
    await line.lost()


async def slow_reader(line: Line) -> None:
    """Subscribe all there is, and read 1.5 KB a second."""
    await line.open()
    await line.say(type="subscribe", symbols=["FEED000*"])
    while True:
        await line.read(300)
        await asyncio.sleep(0.2)


async def never_reads(line: Line) -> None:
    """Subscribe all there is, ask for all symbols too, and read nothing."""
    await line.open()
    await line.say(type="subscribe", symbols=["FEED000*"])
    for _ in range(60):
        await line.send(request_frame({"type": "getSymbols"}))
        await asyncio.sleep(0.5)


async def tls_handshakes(line: Line) -> None:
    """Let the server sign a TLS handshake, and go."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = line.target.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        hello.do_handshake()
    except ssl.SSLWantReadError:
        await line.send(outgoing.read())
    await line.read()


async def _flood(line: Line, block: bytes) -> None:
    line.swallow()
    while True:
        await line.send(block)


@dataclass(frozen=True)
class Attack:
    """One row: what is done, and what the attackers and the relay need for it."""

    run: Callable[[Line], Awaitable[None]]
    stage: str = "plain"
    """Which relay: ``plain``, ``tokens`` or ``tls``."""
    narrow: bool = False
    """Small receive buffers."""
    token: bool = True
    """The attackers show the token, where the relay wants one."""

    @property
    def name(self) -> str:
        """As people call it."""
        return self.run.__name__.replace("_", "-")  # type: ignore[attr-defined,no-any-return]


ATTACKS = {
    attack.name: attack
    for attack in (
        Attack(pongs_after_close),
        Attack(pongs),
        Attack(pings),
        Attack(fragments),
        Attack(requests),
        Attack(names),
        Attack(patterns),
        Attack(symbol_lists),
        Attack(reconnects),
        Attack(resumes),
        Attack(half_open),
        Attack(slowloris),
        Attack(hit_and_run),
        Attack(big_heads),
        Attack(plain_requests),
        Attack(slow_reader, narrow=True),
        Attack(never_reads, narrow=True),
        Attack(token_guesses, stage="tokens", token=False),
        Attack(tls_handshakes, stage="tls"),
    )
}
