"""How a start is refused for a setting that cannot work: one line, exit status 1."""

import sys
from typing import NoReturn

from twisted.python import usage

from tickrelay.errors import SettingError


def in_foreground(options: usage.Options) -> bool:
    """Was twistd told ``--nodaemon``? *options* are the subcommand's."""
    return bool(options.parent and options.parent.get("nodaemon"))


def refuse(program: str, error: SettingError, foreground: bool) -> NoReturn:
    """End the process that cannot start.

    A daemon tells the twistd that waits for it by an ordinary exception only, and leaves it waiting on SystemExit.
    """
    if foreground:
        sys.exit(f"{program}: {error}")
    raise error
