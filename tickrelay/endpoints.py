"""Twisted's endpoint descriptions (``tcp:9001:interface=127.0.0.1``), and what people write in their place."""

import ipaddress
import re
from typing import Any

from OpenSSL import SSL, crypto

from twisted.internet.endpoints import serverFromString

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
    try:
        return serverFromString(reactor, description)
    except OSError as e:
        raise SettingError(f"{source}: cannot read {e.filename}, for {description!r}: {e.strerror}") from None
    except (SSL.Error, crypto.Error):
        raise SettingError(
            f"{source}: the files that {description!r} names are no PEM files of a private key and its certificate"
        ) from None
    except Exception:
        # Each kind of endpoint has a parser of its own (plugins may add some), and each raises what it happens to.
        raise SettingError(f"{source}: {_advice(description)}") from None


def _advice(description: str) -> str:
    kind, _, rest = description.partition(":")
    if kind not in KINDS:
        wanted = meant(description)
        if wanted is not None:
            return f"{description!r} is no Twisted endpoint: write {wanted}"
        return f"{description!r} is no Twisted endpoint: write tcp:PORT, or one of ssl:, unix:, systemd:"
    if kind in WITH_PORT and "port=" not in rest and not _ADDRESS.fullmatch(rest.partition(":")[0]):
        return bad_port(description)
    if kind == "systemd":
        return f"systemd passed no such socket for {description!r}: start it by a .socket unit"
    return (
        f"Twisted cannot read the endpoint {description!r}: after {kind}: come its address and NAME=VALUE, between "
        r"colons (a colon within a value is written \:), as in tcp:9001:interface=127.0.0.1"
    )
