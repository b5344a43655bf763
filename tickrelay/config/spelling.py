"""Names of settings and flags that do not exist, and which ones were probably meant."""

import difflib
import re
from collections.abc import Iterable

from tickrelay.config.places import Places

PREFIXES = ("TICKRELAY_", "CTRADER_")
OTHERS = ("WS_PORT", "HOST", "PORT")
"""Names of settings that other programs have too."""

# Kubernetes puts the address of each Service into the environment of every container: one named "tickrelay" or
# "ctrader" makes these.
_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")


_ALMOST = 0.85
"""How alike (0 to 1) a name of another prefix must be to one of ours to be taken for it."""


def closest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The one of *known* that is most like *name*; None: none is."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, alike)), None)


def is_ours(name: str, settings: Iterable[str]) -> bool:
    """Is the variable a setting, or was it probably meant to be one?"""
    return _prefix(name, own=True) is not None or closest(name.upper(), [*settings, *OTHERS], _ALMOST) is not None


def _prefix(name: str, *, own: bool) -> str | None:
    """The prefix of a name that has one of ours; *own*: of a variable of our own file, where ``_`` may be elsewhere."""
    if own:
        name = name.replace("_", "")
    return next((p for p in PREFIXES if name.upper().startswith(p.rstrip("_") if own else p)), None)


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
            own = place is places.dotenv
            prefix = _prefix(name, own=own)
            if name in known:
                continue
            if prefix is None:
                almost = closest(name.upper(), [*known, "WS_PORT"], _ALMOST) if own else None
                if almost is not None and name not in OTHERS:
                    errors.append(f"{places.named(name, place)} is no setting; did you mean {almost}?")
                continue
            value = place[name] or ""
            if _KUBERNETES.fullmatch(name) or (name.endswith("_PORT") and value.startswith(("tcp://", "udp://"))):
                continue
            # Compared without the prefix, which would make every name alike.
            rest = [n.removeprefix(prefix) for n in known if n.startswith(prefix)]
            meant = closest(re.sub("_?".join(prefix.rstrip("_")) + "_?", "", name.upper(), count=1), rest)
            hint = f"did you mean {prefix}{meant}?" if meant else "docs/operations.rst lists those there are"
            strict = own and (prefix == "TICKRELAY_" or meant)
            (errors if strict else warnings).append(f"{places.named(name, place)} is no setting; {hint}")
    return errors, warnings
