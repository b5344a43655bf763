"""How much is logged: a level, and levels of single namespaces, as in ``info,tickrelay.upstream=debug``."""

import re
from typing import Annotated

from msgspec import Meta

LEVELS = ("debug", "info", "warn", "error", "critical")
"""From the most lines to the fewest; each includes those after it."""

_NAMESPACE = re.compile(r"[a-z_]\w*(\.\w+)*", re.ASCII | re.IGNORECASE)


def by_namespace(text: str) -> dict[str, str]:
    """The level of each namespace; "" stands for all others, and is always there. Raises ValueError."""
    levels = {"": "info"}
    given = set()
    for item in text.replace(",", " ").split():
        namespace, equals, level = item.rpartition("=")
        if level.lower() not in LEVELS or namespace in given or (equals and not _NAMESPACE.fullmatch(namespace)):
            raise ValueError("no log levels")
        given.add(namespace)
        levels[namespace] = level.lower()
    if not given:
        raise ValueError("no log levels")
    return levels


def log_levels(text: str) -> str:
    """*text*, if it holds log levels."""
    try:
        by_namespace(text)
    except ValueError:
        raise ValueError(
            f"one of {', '.join(LEVELS)}, and NAMESPACE=LEVEL for parts, such as info,tickrelay.upstream=debug"
        ) from None
    return text


LogLevels = Annotated[str, Meta(extra={"read": log_levels})]
"""The kind of a setting."""
