"""Write the table of settings into ``docs/operations.rst`` from the fields of `tickrelay.config.settings`.

``--check`` only says whether it differs (exit status 1 if it does).
"""

import sys
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from tickrelay.config import settings
from tickrelay.config.schema import Secret

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.rst"
BEGIN, END = ".. settings: begin\n", ".. settings: end\n"


def default_of(field: Any) -> str:
    """The default as the page shows it."""
    value = field.default
    if value is MISSING:
        return "required"
    if isinstance(value, Secret) or value in ("", ()):
        return "none"
    text = " ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {field.metadata['unit']}".strip()


def table() -> str:
    """All settings as a reStructuredText list table."""
    rows = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - setting",
        "     - flag",
        "     - default",
        "     - what",
    ]
    for field in settings.settings():
        meta = field.metadata
        flag = f"``--{meta['flag']}``" if meta["flag"] else "no flag"
        rows += [
            f"   * - ``{meta['env']}``",
            f"     - {flag}",
            f"     - {default_of(field)}",
            f"     - {meta['about']}",
        ]
    return "\n" + "\n".join(rows) + "\n\n"


def filled(page: str) -> str:
    """The page with the present table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def main() -> int:
    page = PAGE.read_text()
    if "--check" in sys.argv[1:]:
        return int(page != filled(page))
    PAGE.write_text(filled(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
