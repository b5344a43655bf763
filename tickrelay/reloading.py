"""Which settings can change while the relay runs, and which have changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tickrelay.config.schema import settings_of
from tickrelay.config.settings import Config

_GROUPS = ("ctrader", "clients", "relay", "log")
_RESTART = ("listen", "admin", "trusted_proxies", "handshake_timeout_s")
"""Settings of the clients' side that are read at the start alone, as all those of the cTrader connection are."""


@dataclass(frozen=True)
class Change:
    """What comes of settings that were read again."""

    config: Config
    """To be used from now on."""
    changed: tuple[str, ...]
    """The environment names of those that have changed."""
    needs_restart: tuple[str, ...]
    """Of those that have changed in their place but not in *config*."""

    def __str__(self) -> str:
        used = f"{', '.join(self.changed)} changed" if self.changed else "nothing changed"
        return used + (f"; needs a restart: {', '.join(self.needs_restart)}" if self.needs_restart else "")


def compare(old: Config, new: Config) -> Change:
    """*new* as far as it can be used in the place of *old* without a restart."""
    clients = replace(new.clients, **{name: getattr(old.clients, name) for name in _RESTART})
    usable = replace(new, ctrader=old.ctrader, clients=clients, sources=old.sources)
    return Change(usable, tuple(_different(old, usable)), tuple(_different(usable, new)))


def _different(one: Config, other: Config) -> Iterator[str]:
    for group in _GROUPS:
        mine, theirs = getattr(one, group), getattr(other, group)
        cls: Any = type(mine)  # mypy takes no type[Any] for hashable
        for s in settings_of(cls):
            if getattr(mine, s.name) != getattr(theirs, s.name):
                yield s.env
