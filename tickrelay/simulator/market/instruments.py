"""The catalogue: what the simulated broker trades, from majors to crypto, with 0 to 5 digits.

Prices come from assets: each asset walks in US dollars, and a pair is the ratio of two of them, so that a cross
always agrees with its legs. An index is quoted in points of its own currency and does not move with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Asset:
    """Something that has a value: a currency, a metal, a coin, an index."""

    name: str
    value: float
    """In US dollars at the start; of an index, in points."""
    volatility: float
    """Standard deviation of a year's log return."""
    beta: float = 0.0
    """How much of the common move of its kind the asset takes part in (0: it walks alone)."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol of the simulated broker."""

    symbol_id: int
    name: str
    base: str
    quote: str
    digits: int
    pip_position: int
    spread_points: float
    """Typical spread, in units of the last digit."""
    events_per_s: float
    """Typical pace of spot events in a busy hour."""
    category: str
    asset_class: str
    description: str
    hours: str
    """Which trading hours it keeps: see `tickrelay.simulator.market.hours`."""
    in_points: bool = False
    """The price is the base asset's value as it stands (an index)."""
    enabled: bool = True


_ASSETS = """
USD 1 0          EUR 1.0850 0.07    GBP 1.2710 0.08    JPY 0.006614 0.09  CHF 1.1300 0.075   AUD 0.6550 0.10
NZD 0.6020 0.10  CAD 0.7326 0.06    SEK 0.0943 0.10    NOK 0.0917 0.11    PLN 0.2513 0.09    MXN 0.0549 0.13
ZAR 0.0543 0.14  TRY 0.0292 0.12    SGD 0.7460 0.05    CNH 0.1381 0.05    HUF 0.00274 0.11   CZK 0.0429 0.09
XAU 2650 0.15 .5 XAG 31.20 0.28 .5  XPT 962.0 0.24 .4  XPD 1004.0 0.35 .4 XTI 71.40 0.34 .8  XBR 75.10 0.33 .8
XNG 2.910 0.55   BTC 97250 0.55 .7  ETH 3480 0.65 .7   LTC 96.40 0.75 .6  XRP 1.4380 0.80 .6 SOL 238.60 0.80 .7
DOGE 0.39850 0.90 .6
US500 5968 0.15 .9     US30 44300 0.14 .9   USTEC 20780 0.20 .9  DE40 19320 0.16 .7  UK100 8262 0.12 .7
FR40 7255 0.16 .7      JP225 38280 0.20 .5  AUS200 8394 0.13 .5  HK50 19230 0.24 .4  STOXX50 4789 0.16 .7
RUB 0.00962 0.30
"""

# name, digits, spread in points, events a second
_FX = """
EURUSD 5 4 3.0   USDJPY 3 5 3.0   GBPUSD 5 6 2.6   USDCHF 5 8 1.8   AUDUSD 5 6 1.9   USDCAD 5 8 1.8   NZDUSD 5 9 1.4
EURGBP 5 8 1.6   EURJPY 3 9 2.6   GBPJPY 3 14 2.8  EURCHF 5 10 1.3  EURAUD 5 14 2.0  EURCAD 5 13 1.8  EURNZD 5 20 1.9
GBPCHF 5 18 1.6  GBPAUD 5 20 2.0  GBPCAD 5 19 1.9  GBPNZD 5 28 1.9  AUDJPY 3 11 1.9  AUDCAD 5 12 1.5  AUDCHF 5 12 1.2
AUDNZD 5 14 1.4  CADJPY 3 12 1.6  CADCHF 5 13 1.0  CHFJPY 3 15 1.6  NZDJPY 3 14 1.4  NZDCAD 5 15 1.2  NZDCHF 5 15 1.0
USDSEK 5 260 0.9 USDNOK 5 300 0.9 USDPLN 5 180 0.7 USDMXN 4 60 1.1  USDZAR 4 90 1.1  USDTRY 4 220 0.4 USDSGD 5 16 0.9
USDCNH 5 22 1.0  USDHUF 3 160 0.5 EURSEK 5 300 0.8 EURNOK 5 320 0.8 EURPLN 5 200 0.7
"""
_OTHERS = """
metals   XAUUSD 2 18 4.0   XAGUSD 3 20 2.4    XPTUSD 2 190 0.8  XPDUSD 2 380 0.6   XAUEUR 2 28 2.6
indices  US500 1 5 2.4     US30 1 20 2.4      USTEC 1 12 3.2    DE40 1 10 2.6      UK100 1 9 1.6
indices  FR40 1 10 1.4     JP225 0 8 1.4      AUS200 0 3 0.8    HK50 0 6 1.4       STOXX50 1 14 1.4
energies XTIUSD 2 4 1.6    XBRUSD 2 4 1.4     XNGUSD 4 60 1.0
crypto   BTCUSD 2 1800 4.0 ETHUSD 2 160 3.2   LTCUSD 2 12 1.0   XRPUSD 4 12 1.4    SOLUSD 2 9 1.8  DOGEUSD 5 18 1.2
"""
_INDEX_CURRENCY = {
    "US500": "USD", "US30": "USD", "USTEC": "USD", "DE40": "EUR", "UK100": "GBP", "FR40": "EUR", "JP225": "JPY",
    "AUS200": "AUD", "HK50": "USD", "STOXX50": "EUR",
}  # fmt: skip
_CLASS = {"metals": "Metals", "indices": "Indices", "energies": "Energies", "crypto": "Crypto Currencies"}


def _assets() -> dict[str, Asset]:
    # A name, then two or three numbers; numbers never start with a letter.
    found: dict[str, Asset] = {}
    group: list[str] = []
    for word in [*_ASSETS.split(), "END"]:
        if word[0].isalpha() and group:
            found[group[0]] = Asset(group[0], *map(float, group[1:]))
            group = []
        group.append(word)
    return found


ASSETS = _assets()


def _fx(symbol_id: int, name: str, digits: str, spread: str, pace: str) -> Instrument:
    base, quote = name[:3], name[3:]
    major = symbol_id <= 7
    minor = {base, quote} <= {"EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "USD"}
    category = "Forex Majors" if major else "Forex Minors" if minor else "Forex Exotics"
    about = f"{base} against {quote}"
    places = int(digits)
    return Instrument(
        symbol_id, name, base, quote, places, places - 1, float(spread), float(pace), category, "Forex", about, "forex"
    )


def _other(symbol_id: int, kind: str, name: str, digits: str, spread: str, pace: str) -> Instrument:
    index = kind == "indices"
    base, quote = (name, _INDEX_CURRENCY[name]) if index else (name[:-3], name[-3:])
    about = f"{name} index in {quote}" if index else f"{base} against {quote}"
    places = int(digits)
    return Instrument(
        symbol_id,
        name,
        base,
        quote,
        places,
        0 if kind in ("indices", "metals") or places < 2 else places - 1,
        float(spread),
        float(pace),
        _CLASS[kind],
        _CLASS[kind],
        about,
        kind,
        in_points=index,
    )


def catalogue() -> list[Instrument]:
    """Every instrument: ids from 1 (EURUSD) in the order of the tables; 41 is XAUUSD. The last one is disabled."""
    words = _FX.split()
    found = [_fx(n + 1, *words[i : i + 4]) for n, i in enumerate(range(0, len(words), 4))]
    for line in _OTHERS.split("\n"):
        kind, *rest = line.split() or [""]
        found += [_other(len(found) + n + 1, kind, *rest[i : i + 4]) for n, i in enumerate(range(0, len(rest), 4))]
    disabled = _fx(len(found) + 1, "USDRUB", "4", "900", "0.2")
    return [*found, replace(disabled, enabled=False)]


def chosen(names: Sequence[str]) -> list[Instrument]:
    """The instruments called *names*, each once (none: all). Raises LookupError that names the unknown one."""
    everything = catalogue()
    if not names:
        return everything
    by_name = {instrument.name: instrument for instrument in everything}
    for name in names:
        if name not in by_name:
            raise LookupError(f"no symbol {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(names)]
