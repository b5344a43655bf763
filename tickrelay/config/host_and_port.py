"""``HOST`` and ``PORT``, which serve two masters.

In ``.env`` they are cTrader's, as the first backend had them; in the process environment ``PORT`` is where a hosting
platform wants the WebSocket listener, and ``HOST`` is nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tickrelay.config.conversion import convert
from tickrelay.config.places import Places
from tickrelay.config.schema import HostName, Port, is_loopback
from tickrelay.model.errors import Problems, SettingError

DEFAULT_CTRADER_PORT = 5035
DEFAULT_WS_PORT = 8080


def ctraders_from_dotenv(
    places: Places, sources: dict[str, str], preset: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """*preset*, with ``host`` and ``port`` where nothing stronger than ``HOST`` and ``PORT`` of ``.env`` sets them."""
    values = dict(preset)
    for name, kind in (("HOST", HostName), ("PORT", Port)):
        key = name.lower()
        with problems:
            if key in values or places.find(f"CTRADER_{name}", f"ctrader-{key}"):
                continue
            if text := (places.dotenv.get(name) or "").strip():
                where = sources[key] = places.named(name, places.dotenv)
                try:
                    values[key] = convert(kind, text, where)
                except SettingError as e:
                    raise SettingError(f"{e}: {_meaning(name)}") from None
    return values


def doubts(host: str, port: int, sources: Mapping[str, str], places: Places) -> Iterator[str]:
    """Warnings where ``HOST`` or ``PORT`` in ``.env`` was probably meant for the clients' side."""
    by_host, by_port = (places.named(name, places.dotenv) for name in ("HOST", "PORT"))
    if sources.get("host") == by_host and is_loopback(host):
        yield f"{by_host} is {host!r}: {_meaning('HOST')}"
    if sources.get("port") == by_port and host.endswith(".ctraderapi.com") and port != DEFAULT_CTRADER_PORT:
        yield f"{by_port} is {port}, and cTrader listens on {DEFAULT_CTRADER_PORT}: {_meaning('PORT')}"


def clients_port(places: Places) -> tuple[int, str]:
    """The port for clients where no endpoint is set, and where it was set. Raises SettingError."""
    for name, place in (("PORT", places.environ), ("WS_PORT", places.environ), ("WS_PORT", places.dotenv)):
        if text := place.get(name):
            where = places.named(name, place)
            return convert(Port, text.strip(), where), where
    return DEFAULT_WS_PORT, "default"


def _meaning(name: str) -> str:
    return (
        f"there {name} is cTrader's {name.lower()}, better named CTRADER_{name}; "
        "where clients connect is set with WS_PORT or --listen"
    )
