"""How a setting is declared and checked; which settings there are is in `tickrelay.config.settings` and
`tickrelay.simulator.settings`.

A settings class is a frozen dataclass whose fields are annotated for msgspec::

    heartbeat_s: Annotated[float, setting("interval of heartbeats", env="TICKRELAY_HEARTBEAT", ge=1, le=25)] = 10.0

msgspec checks type and bounds (`tickrelay.config.conversion`); errors, ``--help`` and the documentation are made from
the same annotation.
"""

import dataclasses
import functools
import ipaddress
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta


class Secret:
    """A value that is never shown: prints as ``***``; `reveal` gives it where it is sent."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    __str__ = __repr__


# How it is declared


def setting(
    about: str,
    *,
    env: str = "",
    flag: str | None = None,
    unit: str = "",
    purpose: str = "",
    ge: float | None = None,
    le: float | None = None,
) -> Meta:
    """What a field's annotation tells of a setting.

    *about* is its help: a phrase without a capital or a full stop. *env* is its environment variable ("": none), *flag*
    the long option without dashes (None: none), *unit* that of the value, *purpose* the group of ``--help`` if it is
    not that of the class, *ge* and *le* the bounds.
    """
    bounds: dict[str, Any] = {"ge": ge, "le": le}
    return Meta(description=about, extra={"env": env, "flag": flag, "unit": unit, "purpose": purpose}, **bounds)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a settings class."""

    name: str
    kind: Any
    """The annotated type, for `tickrelay.config.conversion.convert`."""
    default: Any
    """`dataclasses.MISSING`: required."""
    about: str = ""
    env: str = ""
    flag: str | None = None
    unit: str = ""
    purpose: str = ""

    @property
    def secret(self) -> bool:
        """Must the value never be quoted, nor be given on the command line?"""
        return Secret in (self.kind, *get_args(self.kind))

    @property
    def default_text(self) -> str:
        """The default with its unit, for people: ``10 s``, ``none``, ``required``."""
        value = self.default
        if value is MISSING:
            return "required"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if value is None or (not value and isinstance(value, Secret | str | tuple)):
            return "none"
        text = " ".join(value) if isinstance(value, tuple) else digits(value)
        return f"{text} {self.unit}".strip()


@functools.cache
def settings_of(cls: type) -> tuple[Setting, ...]:
    """The fields of a settings class, in their order. A class attribute ``purpose`` groups those without their own."""
    found = []
    hints = get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        default = field.default if field.default_factory is MISSING else field.default_factory()
        told = {"purpose": getattr(cls, "purpose", "")}
        for meta in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
            if "flag" in (meta.extra or {}):  # made by setting()
                told |= {key: value for key, value in meta.extra.items() if value} | {"about": meta.description}
        found.append(Setting(name=field.name, kind=kind, default=default, **told))
    return tuple(found)


def digits(number: Any) -> str:
    """A number without an exponent: 10 for 10.0, 1000000000 for 1e9."""
    return f"{number:.12g}" if isinstance(number, float) else str(number)


# Kinds that msgspec does not have: each is a str that a function reads, which raises ValueError with the end of the
# sentence "<SETTING> must be …".


def host_name(text: str) -> str:
    """A host name or address to connect to."""
    # A URL or host:port here is the commonest mistake; it would end as an obscure DNS failure.
    # An address to listen on is the other: the kernel connects 0.0.0.0, in any spelling, to this machine.
    if text in ("*", "::") or _is(text, "is_unspecified"):
        raise ValueError("a host to connect to, such as demo.ctraderapi.com")
    if not text or any(c in text for c in "/:@ \t"):
        raise ValueError("a host name without scheme or port, such as demo.ctraderapi.com")
    return text


def is_loopback(host: str) -> bool:
    """Is the name or address one of this machine's own?"""
    return host.lower() == "localhost" or _is(host, "is_loopback")


def _is(text: str, property_name: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(text), property_name))
    except ValueError:
        return False  # a name


def file_path(text: str) -> str:
    """A path; ``~`` is the home directory. Made absolute at once: twistd changes to ``--rundir`` later."""
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError:
        raise ValueError("a path whose ~user exists") from None


Port = Annotated[int, Meta(ge=1, le=65_535)]
ListeningPort = Annotated[int, Meta(ge=0, le=65_535)]
"""0: any free port."""
Text = Annotated[str, Meta(min_length=1)]
HostName = Annotated[str, Meta(extra={"read": host_name})]
FilePath = Annotated[str, Meta(min_length=1, extra={"read": file_path})]
