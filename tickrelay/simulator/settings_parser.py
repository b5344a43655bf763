"""Settings from text: what flags and a TOML file say, made into `SimulatorSettings`."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

from tickrelay.model.errors import SettingError
from tickrelay.simulator.settings import SimulatorSettings

T = TypeVar("T")


def from_mapping(values: Mapping[str, Any], where: str = "") -> SimulatorSettings:
    """Settings from flags (all text) or a TOML table. Raises SettingError that names what is wrong."""
    return _make(SimulatorSettings, values, where)


def _make(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    hints = get_type_hints(cls)
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = name.replace("-", "_")
        if key not in hints:
            raise SettingError(f"{where}{name} is no setting; there are {', '.join(hints)}")
        found[key] = _value(hints[key], value, f"{where}{key.replace('_', '-')}")
    missing = [
        f.name
        for f in dataclasses.fields(cls)  # type: ignore[arg-type]
        if f.name not in found and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise SettingError(f"{where}{missing[0]} is missing")
    return cls(**found)


def _value(kind: Any, value: Any, name: str) -> Any:
    arguments = get_args(kind)
    if isinstance(kind, types.UnionType):
        return _value(arguments[0], value, name)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise SettingError(f"{name} must be a table")
        return _make(kind, value, f"{name}.")  # type: ignore[arg-type]
    if arguments:  # a tuple of something
        items = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(items, list):
            raise SettingError(f"{name} must be a list")
        return tuple(_value(arguments[0], item, f"{name}[{number}]") for number, item in enumerate(items))
    if kind is bool:
        words = {"yes": True, "true": True, "no": False, "false": False}
        if isinstance(value, str):
            value = words.get(value.lower())
        if not isinstance(value, bool):
            raise SettingError(f"{name} must be yes or no")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise SettingError(f"{name} must be text, not {value!r}")
        return value
    try:
        # In a TOML file true is no number, nor is 1.5 a whole one; int() takes both.
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        what = "a whole number" if kind is int else "a number"
        raise SettingError(f"{name} must be {what}, not {value!r}") from None
