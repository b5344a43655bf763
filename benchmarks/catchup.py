"""Judges what clients got that had stopped reading and read again: how much was old, and when the new prices came.

Values in, values out. What the kernel had already taken for a stuck client cannot be called back and arrives first.
A server that then goes on with the newest prices leaves a jump in the send times, of more than a second; one that
kept everything leaves none.
"""

import re
import statistics
from itertools import pairwise

TICK = re.compile(rb'"type":"tick","symbol":"(\w+)","symbolId":\d+,"bid":([\d.]+)')
JUMP_MS = 1000.0
STALE_MS = 1000.0

Arrivals = list[tuple[float, bytes]]
Seen = tuple[float, bytes, float]


def examine(clients: list[Arrivals]) -> dict[str, float]:
    """One summary over all clients that were stuck; times in milliseconds since the first of them read again."""
    began = min((arrivals[0][0] for arrivals in clients if arrivals), default=0.0)
    old_kib, new_after, first_ages = [], [], []
    disordered = old_after_new = closed = jumped = 0
    for arrivals in clients:
        closed += any(not data for _, data in arrivals)
        ticks = _ticks(arrivals)
        disordered += not _in_order(ticks)
        stale = [at - stamp > STALE_MS for at, _, stamp in ticks]
        place = _jump(ticks)
        if place:
            jumped += 1
            old_after_new += any(stale[place:])
            first_ages += _first_ages(ticks[place:])
        else:
            place = len(stale) - stale[::-1].index(True) if True in stale else 0
        old_kib.append(place * _octets_a_tick(arrivals, ticks) / 1024)
        if place < len(ticks):
            new_after.append(ticks[place][0] - began)
    return {
        "clients": len(clients),
        "closed": closed,
        "jumped": jumped,
        "old_kib": statistics.median(old_kib or [0.0]),
        "new_after_ms": statistics.median(new_after or [0.0]),
        "new_after_ms_max": max(new_after, default=0.0),
        "first_age_ms": statistics.median(first_ages or [0.0]),
        "first_age_ms_max": max(first_ages, default=0.0),
        "old_after_new": old_after_new,
        "disordered": disordered,
    }


def _jump(ticks: list[Seen]) -> int:
    """The place of the first tick after the widest gap in the send times; 0 if there is no wide one."""
    gaps = [(later[2] - earlier[2], place) for place, (earlier, later) in enumerate(pairwise(ticks), 1)]
    widest, place = max(gaps, default=(0.0, 0))
    return place if widest > JUMP_MS else 0


def _ticks(arrivals: Arrivals) -> list[Seen]:
    """Every tick as (arrival, symbol, sent), both in milliseconds; one cut in two by a read is put together again."""
    found: list[Seen] = []
    rest = b""
    for at, data in arrivals:
        text = rest + data
        end = 0
        for match in TICK.finditer(text):
            if match.end() < len(text):  # a number at the very end may go on in the next read
                found.append((at, match[1], float(match[2]) * 100))
                end = match.end()
        rest = text[max(end, len(text) - 200) :]
    return found


def _octets_a_tick(arrivals: Arrivals, ticks: list[Seen]) -> float:
    return sum(len(data) for _, data in arrivals) / len(ticks) if ticks else 0.0


def _in_order(ticks: list[Seen]) -> bool:
    newest: dict[bytes, float] = {}
    for _, symbol, stamp in ticks:
        if stamp < newest.get(symbol, 0.0):
            return False
        newest[symbol] = stamp
    return True


def _first_ages(ticks: list[Seen]) -> list[float]:
    """The age at which the first fresh price of each symbol arrived."""
    first: dict[bytes, float] = {}
    for at, symbol, stamp in ticks:
        first.setdefault(symbol, at - stamp)
    return list(first.values())
