"""Twisted's endpoint descriptions (``tcp:9001:interface=127.0.0.1``), and what people write in their place."""

import contextlib
import errno
import ipaddress
import os
import re
import socket
from typing import Any

from OpenSSL import SSL, crypto

from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.python.lockfile import FilesystemLock

from tickrelay.model.errors import SettingError

WITH_PORT = ("tcp", "tcp6", "ssl", "tls")
KINDS = (*WITH_PORT, "unix", "systemd", "haproxy")

_ADDRESS = re.compile(r"(?:(?:ws|http)://)?(?:(?P<host>\[[^\]/]*\]|[^:/\s]*):)?(?P<port>[0-9]{1,5})/?")
_EVERYWHERE = ("", "*", "0.0.0.0")


def address(text: str) -> tuple[str, int] | None:
    """The host ("": every interface) and port of ``9001``, ``127.0.0.1:9001``, ``[::1]:9001`` or a URL; else None."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        return None
    host = (found["host"] or "").strip("[]")
    if host == "localhost":
        host = "127.0.0.1"
    if host not in _EVERYWHERE:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return None
    return "" if host in _EVERYWHERE else host, int(found["port"])


def meant(text: str) -> str | None:
    """The endpoint description that someone wanted who wrote *text*; None: it looks like none."""
    if text.partition(":")[0] in KINDS:
        return text
    found = address(text)
    if found is None:
        return None
    host, port = found
    return f"tcp:{port}:interface={host.replace(':', chr(92) + ':')}" if host else f"tcp:{port}"


def bad_port(description: str) -> str:
    """What is wrong with a description whose port is none."""
    return f"the port in {description!r} must be a whole number from 0 to 65535, as in tcp:9001"


def parse(reactor: Any, description: str, source: str) -> Any:
    """The server endpoint (`IStreamServerEndpoint`). Raises SettingError, which names *source*."""
    if description.partition(":")[0] == "stdio":
        raise SettingError(f"{source}: stdio: is one connection and no listener: write tcp:PORT")
    if description.startswith("tls:") and not description[4:].partition(":")[0]:
        # Twisted (26.10) would take the working directory, and read each file below it.
        raise SettingError(f"{source}: {description!r} names no directory of certificates: write tls:DIRECTORY:PORT")
    try:
        endpoint = serverFromString(reactor, description)
        _check_certificates(endpoint)
        return endpoint
    except OSError as e:
        raise SettingError(f"{source}: cannot read {e.filename}, for {description!r}: {e.strerror}") from None
    except (SSL.Error, crypto.Error):
        wanted = (
            f"the directory of {description!r} needs .pem files of a private key and its certificate for a DNS name"
            if description.startswith("tls:")
            else f"the files that {description!r} names are no PEM files of a private key and its certificate"
        )
        raise SettingError(f"{source}: {wanted}") from None
    except Exception:
        # Each kind of endpoint has a parser of its own (plugins may add some), and each raises what it happens to.
        raise SettingError(f"{source}: {_advice(description)}") from None


def _check_certificates(endpoint: Any) -> None:
    # ssl: reads its files when it is parsed. tls: takes any directory, an empty or missing one too (Twisted 26.10), and
    # each handshake would fail. Without a certificate there is no context, or one at which OpenSSL raises here.
    creator = getattr(endpoint, "connectionCreator", None)
    if creator is not None:
        try:
            creator.defaultContext.check_privatekey()
        except Exception:
            raise SSL.Error from None


class UnixRehearsal:
    """A reactor that binds a UNIX socket and lets it go at once, to see whether it can be bound later."""

    @staticmethod
    def listenUNIX(address: str, factory: object, backlog: int = 50, mode: int = 0o666, wantPID: bool = False) -> None:
        """As the reactor's, which the endpoint calls. Raises CannotListenError, OSError."""
        # As Twisted's port does: the lock tells a socket that is in use from one that was left behind.
        lock = FilesystemLock(f"{address}.lock")
        if wantPID:
            if not lock.lock():
                raise CannotListenError(None, address, OSError(errno.EADDRINUSE, "Another process listens there"))
            if not lock.clean:
                with contextlib.suppress(OSError):
                    os.unlink(address)
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.bind(address)
            os.unlink(address)
        except OSError as e:
            raise CannotListenError(None, address, e) from None
        finally:
            if lock.locked:
                lock.unlock()


def _advice(description: str) -> str:
    kind, _, rest = description.partition(":")
    if kind not in KINDS:
        wanted = meant(description)
        if wanted is not None:
            return f"{description!r} is no Twisted endpoint: write {wanted}"
        return f"{description!r} is no Twisted endpoint: write tcp:PORT, or one of ssl:, unix:, systemd:"
    if kind in WITH_PORT and "port=" not in rest:
        port = rest.split(":")[1:2] if kind == "tls" else rest.split(":")[:1]
        if port and not _ADDRESS.fullmatch(port[0]):
            return bad_port(description)
    if kind == "systemd":
        return f"systemd passed no such socket for {description!r}: start it by a .socket unit"
    return (
        f"Twisted cannot read the endpoint {description!r}: after {kind}: come its address and NAME=VALUE, between "
        r"colons (a colon within a value is written \:), as in tcp:9001:interface=127.0.0.1"
    )


class PortInUse(SettingError):
    """Another process listens there."""


def bind(reactor: Any, description: str, factory: Any, source: str, flag: str = "--listen") -> IListeningPort | None:
    """Listen at a Twisted endpoint. *source* is where *description* was set, *flag* the option that sets another.

    With a `UnixRehearsal` for a reactor it only sees whether it could, and returns None.

    Raises SettingError, PortInUse.
    """
    endpoint = parse(reactor, description, source)
    ports: list[IListeningPort] = []
    failures: list[BaseException] = []
    endpoint.listen(factory).addCallbacks(ports.append, lambda failure: failures.append(failure.value))
    for error in failures:
        if isinstance(error, OverflowError):  # the system's bind(), which Twisted leaves to look at the number
            raise SettingError(f"{source}: {bad_port(description)}")
        if not isinstance(error, CannotListenError):
            reason = getattr(error, "strerror", None) or error  # an OSError's text has paths of Twisted's lock file
            raise SettingError(f"cannot listen on {description} (set by {source}): {reason}")
        where = f"port {error.port}" if isinstance(error.port, int) else description
        way = flag if source in (flag, f"TICKRELAY_{flag[2:].upper()}") else f"{source} or {flag}"
        choose = f"choose another with {way.replace('default', 'WS_PORT')}"
        # Of a UNIX socket whose lock file another process holds, Twisted has a text in place of the system's error.
        code: int = getattr(error.socketError, "errno", None) or errno.EADDRINUSE
        hint = {
            errno.EADDRINUSE: "stop what uses it, or ",
            errno.EADDRNOTAVAIL: "this machine has no such address; ",
            errno.EACCES: "the process may not; ",
        }.get(code, "")
        kind = PortInUse if code == errno.EADDRINUSE else SettingError
        reason = getattr(error.socketError, "strerror", None) or error.socketError
        raise kind(f"cannot listen on {where} ({reason}; set by {source}): {hint}{choose}")
    return ports[0]
