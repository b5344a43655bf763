"""How a setting is declared, read and checked; which settings there are is in `tickrelay.config`."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tickrelay.errors import SettingError

T = TypeVar("T")


class Secret:
    """A value that must not be seen: prints as ``***``, and is read with `reveal` where it is sent."""

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


# Parsers: text -> value, or ValueError with the end of the sentence "<SETTING> must be …".


def nonempty(text: str) -> str:
    """A parser of any text."""
    if not text:
        raise ValueError("not empty")
    return text


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of decimal numbers from *low* to *high*."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return parse


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from *low* to *high*."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def port_number(text: str) -> int:
    """A parser of TCP ports."""
    return integer(1, 65_535)(text)


def host_name(text: str) -> str:
    """A parser of host names and addresses."""
    # A URL or host:port here is the commonest slip; it would end as an obscure DNS failure.
    if not text or any(c in text for c in "/:@ \t"):
        raise ValueError("a host name without scheme or port, such as demo.ctraderapi.com")
    return text


def file_path(text: str) -> str:
    """A parser of paths; ``~`` is the home directory."""
    return str(Path(nonempty(text)).expanduser())


def words(text: str) -> tuple[str, ...]:
    """A parser of lists: words between commas or blanks."""
    return tuple(text.replace(",", " ").split())


def setting(
    env: str,
    about: str,
    parse: Callable[[str], Any],
    *,
    flag: str | None = None,
    default: Any = MISSING,
    unit: str = "",
    hidden: bool = False,
) -> Any:
    """A field of a settings class: required without *default*, set only by environment and files without *flag*.

    What is *hidden* is never quoted in a message.
    """
    known = {"env": env, "about": about, "parse": parse, "flag": flag, "unit": unit, "hidden": hidden}
    return field(default=default, metadata=known)


def secret(env: str, about: str, *, default: Any = MISSING) -> Any:
    """A field that holds a Secret; `reveal` gives it where it is sent."""
    return setting(env, about, lambda text: Secret(nonempty(text)), default=default, hidden=True)


@dataclass(frozen=True)
class Places:
    """The places a setting can come from, strongest first: flags, process environment, ``.env``."""

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    dotenv: Mapping[str, str | None]

    def find(self, env: str, flag: str | None = None) -> tuple[str, str] | None:
        """The raw text of a setting and where it stands; an empty variable counts as not set. Raises SettingError."""
        if flag and self.flags.get(flag) is not None:
            return str(self.flags[flag]), f"--{flag}"
        for name, place in ((env, self.environ), (env, self.dotenv)):
            where = name if place is self.environ else f"{name} in .env"
            if place.get(name):
                return str(place[name]).strip(), where
            if path := place.get(f"{name}_FILE"):
                return _read(path, f"{name}_FILE"), f"{name}_FILE"
        return None


def _read(path: str, name: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "not UTF-8 text"
        raise SettingError(f"{name}: cannot read {path}: {reason}") from None


def read_section(cls: type[T], places: Places, sources: dict[str, str], preset: Mapping[str, Any]) -> T:
    """Make one settings class from the *places*, and note in *sources* where each came from. Raises SettingError."""
    values: dict[str, Any] = {}
    for f in dataclasses.fields(cls):  # type: ignore[arg-type]
        if f.name in preset:
            values[f.name] = preset[f.name]
            continue
        env = f.metadata["env"]
        found = places.find(env, f.metadata["flag"])
        if found is None:
            if f.default is MISSING:
                raise SettingError(
                    f"{env} is not set: {f.metadata['about']}. Set it in the environment, in .env, "
                    f"or name a file that holds it in {env}_FILE; or try without an account: --simulate"
                )
            continue
        text, where = found
        try:
            values[f.name] = f.metadata["parse"](text)
        except ValueError as e:
            shown = "" if f.metadata["hidden"] else f", not {text!r}"
            raise SettingError(f"{where} must be {e}{shown}") from None
        sources[f.name] = where
    return cls(**values)
