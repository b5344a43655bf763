"""Where the text of a setting comes from: flags, the process environment, ``.env``, files that hold the value."""

import contextlib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from tickrelay.config.conversion import convert
from tickrelay.config.schema import Setting, settings_of
from tickrelay.model.errors import Problems, SettingError


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
    except RuntimeError:  # from expanduser()
        raise SettingError(f"{what}: {path} names the home directory of a user that does not exist") from None
    except UnicodeDecodeError as e:
        raise SettingError(f"{what}: save {path} as UTF-8{_looks(e.object)}") from None
    if "\0" in text:  # UTF-16 and UTF-32 without a byte order mark: ASCII with zero bytes beside each character
        raise SettingError(f"{what}: save {path} as UTF-8{_looks(text.encode())}")
    return text


def _looks(data: bytes) -> str:
    """The probable encoding of a file that is not UTF-8, in brackets: one in which most characters are ASCII."""
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
    """The values of one settings class from the *places*, by field name, without those that keep their default.

    *preset* values are not looked for; *sources* gets where each other one came from, *problems* what is missing or
    malformed.
    """
    values: dict[str, Any] = {}
    missing: list[Setting] = []
    for s in settings_of(cls):
        if s.name in preset:
            values[s.name] = preset[s.name]
            continue
        with problems:
            found = places.find(s.env, s.flag)
            if found is not None:
                text, where = found
                values[s.name], sources[s.name] = convert(s.kind, text, where, quote=not s.secret), where
            elif s.default is MISSING:
                missing.append(s)
    if missing:
        problems.append(_missing(missing, places.dotenv_name))
    return values


def _missing(missing: list[Setting], dotenv: str) -> str:
    names = [s.env for s in missing]
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(names)} {verb} not set: {'; '.join(s.about for s in missing)}. Set in the environment "
        f"or in {dotenv}, or name a file that holds the value, as in {names[0]}_FILE; or try without an account: "
        "--simulate"
    )
