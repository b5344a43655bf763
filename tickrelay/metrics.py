"""Figures for those who watch the relay, in Prometheus' text exposition format.

The parts count in plain integers of their own; a Metric only knows how to read one, so nothing here is on the way of a
tick.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: ``read`` is called when somebody looks. Names follow Prometheus' conventions (base units, _total)."""

    name: str
    about: str
    read: Callable[[], float]
    kind: Literal["counter", "gauge"] = "counter"


def exposition(metrics: Iterable[Metric]) -> bytes:
    """All figures as they are now, in text format 0.0.4."""
    lines = []
    for metric in metrics:
        name = f"tickrelay_{metric.name}"
        lines += [f"# HELP {name} {metric.about}", f"# TYPE {name} {metric.kind}", f"{name} {metric.read():.15g}"]
    return ("\n".join(lines) + "\n").encode()
