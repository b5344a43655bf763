"""The file ``.env``: its variables, or which of its lines cannot be read."""

import io
import re
from collections.abc import Callable

from dotenv.parser import parse_stream

from tickrelay.config.places import read_text
from tickrelay.model.errors import SettingError

_NAME = re.compile(r"\s*(?:export\s+)?['\"]?(\w+)")


def read_dotenv(path: str, is_ours: Callable[[str], bool]) -> dict[str, str | None]:
    """The variables of *path*. Raises SettingError with each line that python-dotenv would leave out (it logs no more
    than a number), and each without ``=``: a value that was wrapped would be lost with it.

    *is_ours*: is it the name of a setting, or probably meant to be one? Other words on a line are not quoted: they may
    be part of a secret.
    """
    values: dict[str, str | None] = {}
    problems = []
    for binding in parse_stream(io.StringIO(read_text(path, "--env-file"))):
        text = binding.original.string
        found = _NAME.match(text)
        name = binding.key or (found[1] if found else "")
        if binding.error or (name and binding.value is None):
            blank = text[: len(text) - len(text.lstrip())]
            where = f"{path}, line {binding.original.line + blank.count(chr(10))}"
            shown = name if is_ours(name) else "NAME"
            problems.append(f"{where}: cannot be read: write {shown}=VALUE, a value with blanks in quotes")
        elif binding.key is not None:
            values[binding.key] = binding.value
    if problems:
        raise SettingError(*problems)
    return values
