"""What both twistd plugins do at their start: take the reactor they are given, and refuse what cannot work."""

import sys
import time
from typing import Any, NoReturn

from twisted.python import usage

from tickrelay.errors import SettingError


def steady(reactor: Any) -> Any:
    """The reactor with timers that nobody's setting of the clock can move: Twisted's run on the wall clock."""
    reactor.seconds = time.monotonic
    return reactor


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
