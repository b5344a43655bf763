"""Judges what clients got that had stopped reading and read again: how much was old, and when the new prices came.

Values in, values out. A tick is *stale* when it arrives more than a second after it was sent. What the kernel had
already taken for a stuck client cannot be called back and arrives first; after it there should be nothing but the
newest prices.
"""

import re
import statistics

TICK = re.compile(rb'"type":"tick","symbol":"(\w+)","symbolId":\d+,"bid":([\d.]+)')
STALE_MS = 1000.0

Arrivals = list[tuple[float, bytes]]
Seen = tuple[float, bytes, float]


def examine(clients: list[Arrivals]) -> dict[str, float]:
    """One summary over all clients that were stuck; times in milliseconds since the first of them read again."""
    began = min((arrivals[0][0] for arrivals in clients if arrivals), default=0.0)
    stale_kib, fresh_after, first_ages = [], [], []
    disordered = stale_after_fresh = closed = 0
    for arrivals in clients:
        closed += any(not data for _, data in arrivals)
        ticks = _ticks(arrivals)
        stale = [at - stamp > STALE_MS for at, _, stamp in ticks]
        stale_kib.append(sum(stale) * _octets_a_tick(arrivals, ticks) / 1024)
        disordered += not _in_order(ticks)
        if False in stale:
            fresh = stale.index(False)
            stale_after_fresh += any(stale[fresh:])
            fresh_after.append(ticks[fresh][0] - began)
            first_ages += _first_ages(ticks[fresh:])
    return {
        "clients": len(clients),
        "closed": closed,
        "caught_up": len(fresh_after),
        "stale_kib_median": statistics.median(stale_kib or [0.0]),
        "fresh_after_ms_median": statistics.median(fresh_after or [0.0]),
        "fresh_after_ms_max": max(fresh_after, default=0.0),
        "first_price_age_ms_median": statistics.median(first_ages or [0.0]),
        "first_price_age_ms_max": max(first_ages, default=0.0),
        "stale_after_fresh": stale_after_fresh,
        "disordered": disordered,
    }


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
