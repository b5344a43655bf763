"""Settings as options of a command line, and ``--help``: options by purpose, with defaults and units, in 80 columns."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from tickrelay.config.schema import Setting

WIDTH = 80
COLUMN = 28
"""Where the help of an option begins."""
NO_BREAK = "\N{NO-BREAK SPACE}"
"""Where textwrap does not break a line; it prints as a blank."""


def parameters(settings: Iterable[Setting]) -> list[list[str | None]]:
    """The rows of ``optParameters`` for those *settings* that have a flag. Twisted's own default is None: not given."""
    return [[s.flag, None, None, _help(s)] for s in settings if s.flag]


def by_purpose(settings: Iterable[Setting], others: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The options of each purpose, in the order of *others*, which names those that are no settings."""
    settings = list(settings)
    return {
        purpose: [*names, *(s.flag for s in settings if s.flag and s.purpose == purpose)]
        for purpose, names in others.items()
    }


def _help(s: Setting) -> str:
    notes = [f"default {s.default_text}".replace(" ", NO_BREAK)] if s.default_text != "none" else []
    notes += [s.env] if s.env else []
    return f"{s.about} [{', '.join(notes)}]" if notes else s.about


class GroupedHelp:
    """A mixin of `twisted.python.usage.Options`, before it among the bases.

    Twisted's own help is one list, and shows no default where None stands for "not given".
    """

    purposes: Mapping[str, Sequence[str]]
    """The names of the options (without dashes) of each purpose; the rest follows as ``other``."""
    introduction: str = ""

    longOpt: list[str]
    """Set by Twisted; what takes a value ends in ``=``."""
    docs: dict[str, str]
    """Set by Twisted: the help of each option."""

    def getUsage(self, width: int | None = None) -> str:
        """The text of ``--help`` below the synopsis."""
        shown = {option.rstrip("="): option for option in self.longOpt}
        grouped = {name for names in self.purposes.values() for name in names}
        groups = {**self.purposes, "other": [name for name in shown if name not in grouped]}
        parts = [textwrap.fill(self.introduction, width or WIDTH) + "\n"] if self.introduction else []
        for purpose, names in groups.items():
            rows = "".join(_row(f"  --{shown[name]}", self._text(name), width or WIDTH) for name in names)
            parts.append(f"{purpose}:\n{rows}")
        return "\n" + "\n".join(parts)

    def _text(self, name: str) -> str:
        text = self.docs[name].strip()
        if not hasattr(self, f"opt_{name}"):
            return text
        return text[:1].lower() + text[1:].removesuffix(".")  # a method's docstring, which is a sentence


def _row(option: str, text: str, width: int) -> str:
    indent = " " * COLUMN
    first = option.ljust(COLUMN) if len(option) < COLUMN - 1 else f"{option}\n{indent}"
    body = textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{first}{body[COLUMN:].replace(NO_BREAK, ' ')}\n"
