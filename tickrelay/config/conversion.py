"""A setting's value from text or TOML: msgspec checks it against the annotated type, and here alone are its errors put
into words: "<SETTING> must be a whole number from 1 to 65535, not 'x'".
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import inspect

from tickrelay.config.schema import Text, digits, settings_of
from tickrelay.model.errors import Problems, SettingError

T = TypeVar("T")

SHOWN_CHARACTERS = 60
"""A longer value is cut where a message quotes it."""


def convert(kind: Any, value: Any, name: str, *, quote: bool = True) -> Any:
    """*value*, text or what TOML has, as *kind*: an annotated type, a settings class, or a tuple of either.

    Raises SettingError that calls the setting *name*, and quotes the value unless *quote* is false.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise SettingError(f"{name} must be a table")
        return from_table(kind, value, f"{name}.")
    if (item := _item_of(kind)) is not None:
        items = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise SettingError(f"{name} must be a list")
        problems = Problems()
        converted = []
        for number, each in enumerate(items):
            with problems:
                converted.append(convert(item, each, f"{name}[{number}]", quote=quote))
        problems.check()
        return tuple(converted)
    try:
        return _checked(kind, value)
    except msgspec.ValidationError:
        expected = _expected(inspect.type_info(kind), value)
    except ValueError as e:
        expected = f"must be {e}"
    raise SettingError(f"{name} {expected}{f', not {_shown(value)}' if quote and value != '' else ''}")


def from_table(cls: Callable[..., T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of a settings class from a TOML table, or from flags, which are text. Names may have ``-`` for ``_``.

    Raises SettingError with everything that is wrong; *where* begins the name of each setting.
    """
    known = {s.name: s for s in settings_of(cls)}
    found: dict[str, Any] = {}
    problems = Problems()
    for key, value in values.items():
        with problems:
            name = key.replace("-", "_")
            if name not in known:
                raise SettingError(f"{where}{key} is no setting; there are {', '.join(known)}")
            found[name] = None  # not missing, even if it is wrong
            found[name] = convert(known[name].kind, value, f"{where}{known[name].flag or name}")
    problems += [f"{where}{s.name} is missing" for s in known.values() if s.default is MISSING and s.name not in found]
    problems.check()
    return cls(**found)


def check(instance: object, where: str = "") -> None:
    """Check the values of a settings class that code, not text, has set. Raises SettingError with all that is wrong."""
    problems = Problems()
    cls: Any = type(instance)  # mypy takes no type[object] for hashable
    for each in settings_of(cls):
        value = getattr(instance, each.name)
        item = _item_of(each.kind)
        if not dataclasses.is_dataclass(each.kind) and not dataclasses.is_dataclass(item):  # these check themselves
            with problems:
                convert(each.kind, value, f"{where}{each.flag or each.name}")
    problems.check()


def _item_of(kind: Any) -> Any:
    """What a tuple holds; None: *kind* is no tuple."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(plain)[0] if get_origin(plain) is tuple else None


def _checked(kind: Any, value: Any) -> Any:
    """Raises msgspec.ValidationError, or ValueError with the end of the sentence "<SETTING> must be …"."""
    info = inspect.type_info(kind)
    extra = info.extra or {} if isinstance(info, inspect.Metadata) else {}
    if isinstance(value, str):
        value = _from_text(_plain(info), value)
    value = msgspec.convert(value, kind, dec_hook=_from_str)
    return extra["read"](value) if "read" in extra else value


def _from_str(kind: type[T], value: Any) -> T:
    if isinstance(value, kind):
        return value
    return kind(msgspec.convert(value, Text))  # type: ignore[call-arg]


def _from_text(info: inspect.Type, text: str) -> Any:
    """*text* as TOML would have it, or as it is: msgspec then refuses it."""
    # msgspec's own reading of text (strict=False) is that of JSON: it refuses ".5" and "05", takes "1e3" for a whole
    # number, and knows neither yes nor no. int() refuses more than 4300 digits.
    with contextlib.suppress(ValueError):
        if isinstance(info, inspect.BoolType):
            return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)
        if isinstance(info, inspect.IntType) and text.isascii():
            return int(text) if text.removeprefix("-").isdigit() else text
        if isinstance(info, inspect.FloatType):
            return float(text)
    return text


def _plain(info: inspect.Type) -> inspect.Type:
    """Without what is only told of the type, and without None."""
    if isinstance(info, inspect.Metadata):
        return _plain(info.type)
    if isinstance(info, inspect.UnionType):
        return _plain(next(t for t in info.types if not isinstance(t, inspect.NoneType)))
    return info


def _expected(info: inspect.Type, value: Any) -> str:
    """The sentence about a value that msgspec refused: "must be a whole number from 1 to 65535"."""
    if isinstance(info, inspect.Metadata) and info.extra and "expected" in info.extra:
        return f"must be {info.extra['expected']}"
    match _plain(info):
        case inspect.IntType(ge=low, le=high):
            return f"must be a whole number from {low} to {high}"
        case inspect.FloatType(gt=None, ge=low, le=high):
            return f"must be a number from {digits(low)} to {digits(high)}"
        case inspect.FloatType(gt=low, le=high):
            return f"must be a number over {digits(low)}, at most {digits(high)}"
        case inspect.BoolType():
            return "must be yes or no"
        case inspect.LiteralType(values=words):
            return f"must be {' or '.join(map(str, words))}"
    return "must not be empty" if value == "" else "must be text"


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # repr() refuses whole numbers of more than 4300 digits; TOML's hexadecimal ones can have them
        return "one of thousands of digits"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
