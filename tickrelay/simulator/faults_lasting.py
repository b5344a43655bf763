"""Faults that last: each changes the world and returns what ends it. Each takes its words from the script and raises
SettingError for those that make no sense.
"""

from collections.abc import Callable, Sequence

from tickrelay.errors import SettingError
from tickrelay.openapi import registry
from tickrelay.simulator.refusal import Refusal
from tickrelay.simulator.script import duration_s
from tickrelay.simulator.world import World

Undo = Callable[[], None]
Words = Sequence[str]

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
    except LookupError:
        raise SettingError(f"no request {word!r}; say {', '.join(ALIASES)}, or a payload name") from None


def condition(name: str, value: object, world: World, words: Words) -> Undo:
    """Set one of the world's conditions; afterwards it is as when nothing is wrong."""
    before = getattr(world.conditions, name)
    setattr(world.conditions, name, value)
    return lambda: setattr(world.conditions, name, type(before)())


def timed(name: str, default_s: float, world: World, words: Words) -> Undo:
    """Set a condition that is a length of time."""
    return condition(name, duration_s(words[0]) if words else default_s, world, words)


def hang(world: World, words: Words) -> Undo:
    """Never answer requests of these kinds (default: account-auth)."""
    types = {payload_type(word) for word in words or ("account-auth",)}
    world.conditions.hung |= types
    return lambda: world.conditions.hung.difference_update(types)


def _refusing(number: int, refusal: Callable[[], Refusal], world: World) -> Undo:
    world.conditions.refused[number] = refusal

    def undo() -> None:
        if world.conditions.refused.get(number) is refusal:
            del world.conditions.refused[number]

    return undo


def refuse(world: World, words: Words) -> Undo:
    """Refuse requests of one kind (default: app-auth) with a code (default: the one for wrong credentials)."""
    kind = payload_type(words[0] if words else "app-auth")
    code = words[1] if len(words) > 1 else "CH_CLIENT_AUTH_FAILURE"
    text = " ".join(words[2:]) or ("clientId or clientSecret is incorrect" if code == "CH_CLIENT_AUTH_FAILURE" else "")
    return _refusing(kind, lambda: Refusal(code, text, close=code == "CH_CLIENT_AUTH_FAILURE"), world)


def rate_limit(world: World, words: Words) -> Undo:
    """Refuse requests of one kind (default: subscribe) as too many, with the time to wait (default 1 s)."""
    kind = payload_type(words[0] if words else "subscribe")
    wait_s = int(duration_s(words[1])) if len(words) > 1 else world.rules.retry_after_s
    text = "You have reached the rate limit of requests"
    return _refusing(kind, lambda: Refusal(world.rules.rate_code, text, retry_after_s=wait_s), world)


def maintenance(world: World, words: Words) -> Undo:
    """Refuse everything: under maintenance for so long (30 s); ``ms``: told in milliseconds; ``common``: by 50."""
    # The comments of the schema have milliseconds in ProtoErrorRes and seconds in ProtoOAErrorRes.
    common = "common" in words
    unit = 1000 if common or "ms" in words else 1
    lengths = [word for word in words if word not in ("ms", "common")]
    end = round((world.now() + (duration_s(lengths[0]) if lengths else 30.0)) * unit)
    text = "The server is under maintenance"
    return _refusing(0, lambda: Refusal("SERVER_IS_UNDER_MAINTENANCE", text, maintenance_end=end, common=common), world)


def burst(world: World, words: Words) -> Undo:
    """Make the market so many times busier (default 100)."""
    factor = float(words[0]) if words else 100.0
    if not 0 < factor <= 10_000:
        raise SettingError("a burst is 1 to 10000 times the usual")
    world.source.rate *= factor
    world.restart()

    def undo() -> None:
        world.source.rate /= factor
        world.restart()

    return undo


def markets_closed(world: World, words: Words) -> Undo:
    """Close every market, as at a weekend; subscriptions still get their technical event."""
    world.source.shut = True
    return lambda: setattr(world.source, "shut", False)
