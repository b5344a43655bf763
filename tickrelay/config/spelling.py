"""Names of settings and flags that do not exist, and which ones were probably meant."""

import difflib
import re
from collections.abc import Iterable

from tickrelay.config.places import Places

PREFIXES = ("TICKRELAY_", "CTRADER_")

# Kubernetes puts the address of each Service into the environment of every container: one named "tickrelay" or
# "ctrader" makes these.
_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")


def closest(name: str, known: Iterable[str]) -> str | None:
    """The one of *known* that is most like *name*; None: none is."""
    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def unknown_names(places: Places, settings: Iterable[str]) -> tuple[list[str], list[str]]:
    """Variables that are named like settings and are none, as (errors, warnings), a line each, without their values.

    The environment is shared with other programs, so what is unknown there is a warning. ``.env`` belongs to the relay:
    there it is an error, except for a ``CTRADER_`` name unlike any setting, which other cTrader programs may use.
    """
    known = {name + end for name in settings for end in ("", "_FILE")}
    errors: list[str] = []
    warnings: list[str] = []
    for place in (places.environ, places.dotenv):
        for name in sorted(place):
            prefix = next((p for p in PREFIXES if name.upper().startswith(p)), None)
            if prefix is None or name in known:
                continue
            value = place[name] or ""
            if _KUBERNETES.fullmatch(name) or (name.endswith("_PORT") and value.startswith(("tcp://", "udp://"))):
                continue
            # Compared without the prefix, which would make every name alike.
            rest = [n.removeprefix(prefix) for n in known if n.startswith(prefix)]
            meant = closest(name.upper().removeprefix(prefix), rest)
            hint = f"did you mean {prefix}{meant}?" if meant else "docs/operations.rst lists those there are"
            strict = place is places.dotenv and (prefix == "TICKRELAY_" or meant)
            (errors if strict else warnings).append(f"{places.named(name, place)} is no setting; {hint}")
    return errors, warnings
