"""Sustained faults: each returns an `Effect`, which begins and ends it. Its words are the script's arguments; each
raises SettingError for a word it does not know.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tickrelay.model.errors import SettingError
from tickrelay.openapi import registry
from tickrelay.simulator.active_faults import ActiveFaults
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.faults.script import Statement, duration_s
from tickrelay.simulator.refusal import RequestRefused

Words = Sequence[str]
MAINTENANCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Effect:
    """Begins and ends a fault. ``begin`` is idempotent: it is called again when another fault ends that may have set
    the same attribute.
    """

    begin: Callable[[], object]
    end: Callable[[], object]


ALIASES = {
    "all": 0,
    "app-auth": 2100,
    "account-auth": 2102,
    "account-list": 2149,
    "symbols": 2114,
    "symbol-details": 2116,
    "subscribe": 2127,
    "unsubscribe": 2129,
    "refresh": 2173,
}
"""Short names of the requests that are most often meant."""


def payload_type(word: str) -> int:
    """The request meant by an alias, a payload name or number. Raises SettingError."""
    if word in ALIASES:
        return ALIASES[word]
    try:
        return registry.lookup(int(word) if word.isdigit() else word).number
    except (LookupError, ValueError):  # ValueError: int() takes neither "²", which is a digit, nor 4301 digits
        raise SettingError(f"no request {word!r}; write {', '.join(ALIASES)}, or a payload name") from None


def set_fault(name: str, value: object, broker: SimulatedBroker, words: Words) -> Effect:
    """Set an attribute of `ActiveFaults`, and its default at the end."""
    return Effect(
        lambda: setattr(broker.active_faults, name, value),
        lambda: setattr(broker.active_faults, name, getattr(ActiveFaults(), name)),
    )


def set_duration(name: str, default_s: float, broker: SimulatedBroker, words: Words) -> Effect:
    """Set an attribute of `ActiveFaults` that counts seconds. Raises SettingError for a word that is no duration."""
    return set_fault(name, duration_s(words[0]) if words else default_s, broker, words)


def hang(broker: SimulatedBroker, words: Words) -> Effect:
    """Never answer requests of these kinds (default: account-auth)."""
    types = {payload_type(word) for word in words or ("account-auth",)}
    hung = broker.active_faults.hung
    return Effect(lambda: hung.update(types), lambda: hung.difference_update(types))


def _refusing(number: int, refusal: Callable[[], RequestRefused], broker: SimulatedBroker) -> Effect:
    refused = broker.active_faults.refused
    return Effect(lambda: refused.update({number: refusal}), lambda: refused.pop(number, None))


def refuse(broker: SimulatedBroker, words: Words) -> Effect:
    """Refuse requests of one kind (default: app-auth) with a code (default: the one for wrong credentials)."""
    kind = payload_type(words[0] if words else "app-auth")
    code = words[1] if len(words) > 1 else "CH_CLIENT_AUTH_FAILURE"
    text = " ".join(words[2:]) or ("clientId or clientSecret is incorrect" if code == "CH_CLIENT_AUTH_FAILURE" else "")
    return _refusing(kind, lambda: RequestRefused(code, text, close=code == "CH_CLIENT_AUTH_FAILURE"), broker)


def rate_limit(broker: SimulatedBroker, words: Words) -> Effect:
    """Refuse requests of one kind (default: subscribe) as too many, with the time to wait (default 1 s)."""
    kind = payload_type(words[0] if words else "subscribe")
    wait_s = math.ceil(duration_s(words[1])) if len(words) > 1 else broker.rules.retry_after_s
    text = "You have reached the rate limit of requests"
    return _refusing(kind, lambda: RequestRefused(broker.rules.rate_code, text, retry_after_s=wait_s), broker)


def with_duration(statement: Statement) -> Statement:
    """A maintenance with the duration that clients are sent and the one it has; they differ only on request.

    Raises SettingError for an unknown word.
    """
    kinds = tuple(word for word in statement.arguments if word in ("ms", "common"))
    lengths = [word for word in statement.arguments if word not in kinds]
    if len(lengths) > 1:
        raise SettingError(f"{lengths[1]!r} is neither ms nor common")
    sent_s = duration_s(lengths[0]) if lengths else statement.for_s or MAINTENANCE_S
    if not sent_s:
        raise SettingError("a maintenance takes longer than no time")
    sent = lengths[0] if lengths else f"{sent_s:.3f}".rstrip("0").rstrip(".") + "s"
    return dataclasses.replace(statement, arguments=(sent, *kinds), for_s=statement.for_s or sent_s)


def maintenance(broker: SimulatedBroker, words: Words) -> Effect:
    """Refuse everything until an end (30 s), sent in seconds; ``ms``: in milliseconds; ``common``: by ProtoErrorRes."""
    # The public schema's comments: milliseconds in ProtoErrorRes, seconds in ProtoOAErrorRes.
    length, *kinds = words
    common = "common" in kinds
    unit = 1000 if common or "ms" in kinds else 1
    end = round((broker.now() + duration_s(length)) * unit)
    text = "The server is under maintenance"
    return _refusing(
        0, lambda: RequestRefused("SERVER_IS_UNDER_MAINTENANCE", text, maintenance_end=end, common=common), broker
    )


def burst(broker: SimulatedBroker, words: Words) -> Effect:
    """Make the market so many times busier (default 100)."""
    try:
        factor = float(words[0]) if words else 100.0
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 10_000:
        raise SettingError(f"a burst is up to 10000 times the usual, not {words[0]!r}")

    def set_rate(factor: float) -> None:
        rate = broker.settings.rate * factor
        if broker.source.rate != rate:
            broker.source.rate = rate
            broker.restart()

    return Effect(lambda: set_rate(factor), lambda: set_rate(1.0))


def markets_closed(broker: SimulatedBroker, words: Words) -> Effect:
    """Close every market, with SymbolChangedEvent and changed hours; ``unannounced``: without."""
    if words and words[0] != "unannounced":
        raise SettingError(f"{words[0]!r} is not unannounced")

    def close(shut: bool, announced: bool) -> None:
        before = broker.source.shut, broker.closure_announced
        broker.source.shut, broker.closure_announced = shut, announced
        if announced != before[1]:
            broker.symbols_changed(broker.catalogue.full_symbols)
        if before[0] and not shut:
            broker.restart()  # else a closed symbol checks its hours only every 30 s

    return Effect(lambda: close(True, not words), lambda: close(False, False))
