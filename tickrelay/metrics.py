"""Figures for those who watch the relay, in Prometheus' text exposition format.

The parts count in plain integers of their own; a Metric only knows how to read one, so nothing here is on the way of a
tick.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: ``read`` is called when somebody looks. Names follow Prometheus' conventions (base units, _total).

    With a *label* there is one figure for each of its values: ``read`` returns them by value, which needs no escaping.
    """

    name: str
    about: str
    read: Callable[[], float | Mapping[str, float]]
    kind: Literal["counter", "gauge"] = "counter"
    label: str = ""


def exposition(metrics: Iterable[Metric]) -> bytes:
    """All figures as they are now, in text format 0.0.4."""
    lines = []
    for metric in metrics:
        name = f"tickrelay_{metric.name}"
        lines += [f"# HELP {name} {metric.about}", f"# TYPE {name} {metric.kind}"]
        found = metric.read()
        if isinstance(found, Mapping):
            lines += [f'{name}{{{metric.label}="{value}"}} {figure:.15g}' for value, figure in found.items()]
        else:
            lines.append(f"{name} {found:.15g}")
    return ("\n".join(lines) + "\n").encode()
