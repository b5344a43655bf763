"""Write the table of settings into ``docs/operations.rst`` from the fields of `tickrelay.config.settings`.

``--check`` only says whether it differs (exit status 1 if it does).
"""

import sys
from pathlib import Path

from tickrelay.config import settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.rst"
BEGIN, END = ".. settings: begin\n", ".. settings: end\n"


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
    for setting in settings.settings():
        rows += [
            f"   * - ``{setting.env}``",
            f"     - ``--{setting.flag}``" if setting.flag else "     - no flag",
            f"     - {setting.default_text}",
            f"     - {setting.about}",
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
