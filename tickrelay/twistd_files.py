"""What twistd opens and changes to after ``makeService``, tried before it: its log file, pid file and directories.

What fails in twistd itself ends in a traceback, and for a daemon after the terminal was told that all is well.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.python.logfile import LogFile


def log_file(config: Mapping[str, Any]) -> str:
    """The path of the log file; "": the log goes to standard output, syslog or a logger of the user's own."""
    name = config.get("logfile")
    if config.get("logger") or config.get("syslog") or name == "-" or (config.get("nodaemon") and not name):
        return ""
    return os.path.abspath(name or "twistd.log")


def problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each of twistd's options (*config*, by their names) that twistd would fail at."""
    try:
        if path := log_file(config):
            LogFile.fromFullPath(path).close()  # as twistd does
        elif config.get("logfile") == "-" and not config.get("nodaemon") and not config.get("logger"):
            yield "--logfile -: a daemon has no standard output to log to: name a file, or run with --nodaemon"
    except OSError as e:
        yield f"--logfile: cannot write {path}: {e.strerror}"
    user, own = config.get("uid"), os.geteuid()
    if own not in (0, user) and user is not None:
        yield f"--uid: only root may become another user, and this is user {own}"
    if chroot := config.get("chroot"):
        if own != 0 or not os.path.isdir(chroot):
            yield f"--chroot: {chroot} must be a directory, and the user root"
        return  # the others count from in there
    rundir = config.get("rundir") or "."
    if not os.path.isdir(rundir) or not os.access(rundir, os.X_OK):
        yield f"--rundir: {os.path.abspath(rundir)} is no directory to change to"
    if pidfile := config.get("pidfile"):
        try:
            # One that was left behind is removed by twistd before this.
            with open(pidfile, "ab"):
                pass
            os.unlink(pidfile)
        except OSError as e:
            yield f"--pidfile: cannot write {pidfile}: {e.strerror}"
