"""How a setting is declared, read and checked; which settings there are is in `tickrelay.config.settings`."""

import contextlib
import dataclasses
import ipaddress
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any

from tickrelay.model.errors import Problems, SettingError


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
    # An address to listen on is the other: the kernel takes a connection to 0.0.0.0 to this machine.
    if text in ("*", "::") or _is(text, "is_unspecified"):
        raise ValueError("a host to connect to, such as demo.ctraderapi.com")
    if not text or any(c in text for c in "/:@ \t"):
        raise ValueError("a host name without scheme or port, such as demo.ctraderapi.com")
    return text


def is_loopback(host: str) -> bool:
    """Does the name or address stand for this machine?"""
    return host.lower() == "localhost" or _is(host, "is_loopback")


def _is(text: str, property_name: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(text), property_name))
    except ValueError:
        return False  # a name


def file_path(text: str) -> str:
    """A parser of paths; ``~`` is the home directory, and a relative path counts from the working directory of now:
    twistd changes to ``--rundir`` later.
    """
    return str(Path(nonempty(text)).expanduser().absolute())


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


def read_text(path: str, what: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises SettingError, which begins with *what* (the
    setting that names the file).
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingError(f"{what}: {path} does not exist") from None
    except OSError as e:
        raise SettingError(f"{what}: cannot read {path}: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise SettingError(f"{what}: save {path} as UTF-8{_looks(e.object)}") from None
    if "\0" in text:  # UTF-16 and UTF-32 without a byte order mark: ASCII with zero bytes beside each character
        raise SettingError(f"{what}: save {path} as UTF-8{_looks(text.encode())}")
    return text


def _looks(data: bytes) -> str:
    """What a file probably is that is no UTF-8: most of its characters would be ASCII then; "": nobody knows."""
    for encoding in ("UTF-32", "UTF-16"):
        for order in ("", "-LE", "-BE"):
            with contextlib.suppress(UnicodeDecodeError):
                text = data.decode(encoding + order)
                if "\0" not in text and sum(map(str.isascii, text)) * 2 > len(text):
                    return f" (it looks like {encoding})"
    return " (it has zero bytes)" if b"\0" in data else ""


@dataclass(frozen=True)
class Places:
    """The places a setting can come from, strongest first: flags, process environment, ``.env``."""

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    dotenv: Mapping[str, str | None]
    dotenv_name: str = ".env"

    def named(self, name: str, place: Mapping[str, Any]) -> str:
        """How messages name the variable *name* of *place*."""
        return name if place is self.environ else f"{name} in {self.dotenv_name}"

    def find(self, env: str, flag: str | None = None) -> tuple[str, str] | None:
        """The raw text of a setting and where it stands; an empty variable counts as not set. Raises SettingError."""
        if flag and self.flags.get(flag) is not None:
            return str(self.flags[flag]), f"--{flag}"
        for place in (self.environ, self.dotenv):
            if place.get(env):
                return str(place[env]).strip(), self.named(env, place)
            if path := place.get(f"{env}_FILE"):
                where = self.named(f"{env}_FILE", place)
                return read_text(path, where).strip(), where
        return None


def read_section(
    cls: type, places: Places, sources: dict[str, str], preset: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """The values of one settings class from the *places*, by field name; *sources* gets where each came from, and
    *problems* what is missing or malformed.
    """
    values: dict[str, Any] = {}
    missing: list[dataclasses.Field[Any]] = []
    for f in dataclasses.fields(cls):
        if f.name in preset:
            values[f.name] = preset[f.name]
            continue
        with problems:
            found = places.find(f.metadata["env"], f.metadata["flag"])
            if found is not None:
                values[f.name], sources[f.name] = _parsed(f, *found), found[1]
            elif f.default is MISSING:
                missing.append(f)
    if missing:
        problems.append(_missing(missing, places.dotenv_name))
    return values


def _parsed(f: "dataclasses.Field[Any]", text: str, where: str) -> Any:
    try:
        return f.metadata["parse"](text)
    except ValueError as e:
        shown = "" if f.metadata["hidden"] else f", not {text!r}"
        raise SettingError(f"{where} must be {e}{shown}") from None


def _missing(fields: "list[dataclasses.Field[Any]]", dotenv: str) -> str:
    names = [f.metadata["env"] for f in fields]
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(names)} {verb} not set: {'; '.join(f.metadata['about'] for f in fields)}. Set in the environment "
        f"or in {dotenv}, or name a file that holds the value, as in {names[0]}_FILE; or try without an account: "
        "--simulate"
    )
