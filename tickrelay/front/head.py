"""The head of an HTTP request (RFC 9112), parsed strictly: what two parsers could take for different things is refused.

Behind a proxy, a client could otherwise smuggle header lines or a second request that the proxy has not seen. Pure: no
socket, no clock. No text of a fault repeats what the client sent.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_HEAD_BYTES = 16_384
"""With the empty line at its end."""

MAX_TARGET_BYTES = 2_048

MAX_FIELDS = 100

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])")
# No control or 8-bit character but the tab: Autobahn (26.10) splits the head with str.splitlines, which also splits at
# VT, FF, FS to RS and NEL; a proxy does not.
_FIELD = re.compile(rf"({_TOKEN}):[ \t]*([\t -~]*)")
# Origin form. urllib and others take what follows "//" for a host name; a fragment is never sent.
_TARGET = re.compile(r'/(?!/)[^#"<>\\]*')
_HOST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

SINGLE = frozenset(
    """host origin connection upgrade expect authorization content-length transfer-encoding
    sec-websocket-key sec-websocket-version sec-websocket-extensions""".split()
)
"""Fields that must not be there twice: the relay or its libraries act on them. Of the others several lines are joined
by a comma (RFC 9110, 5.3). X-Forwarded-For is one of those: some proxies add a line of their own to the client's.
"""


class Fault(NamedTuple):
    """Why a request is refused, as an answer: HTTP status, a sentence without the client's bytes, and header fields."""

    status: int
    text: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request that is sound, and has no body."""

    raw: bytes
    """As it was received, with the empty line."""
    method: str
    target: str
    """In origin form: a path, and perhaps a query."""
    is_1_1: bool
    """HTTP/1.1, else HTTP/1.0: that of simple health checks, which can neither stay open nor upgrade."""
    fields: dict[str, str]
    """By their names in lower case."""

    def items(self, name: str) -> list[str]:
        """The items of a field that is a list, in lower case."""
        return [item.strip(" \t").lower() for item in self.fields.get(name, "").split(",")]


def parse(raw: bytes) -> Head | Fault:
    """Parse a head that ends with the first empty line of *raw*; a Fault: it is not sound, or too large."""
    if len(raw) > MAX_HEAD_BYTES:
        return too_large(raw)
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    request = _REQUEST.fullmatch(first)
    if request is None:
        return Fault(400, "the request line is malformed")
    method, target, major, minor = request.groups()
    if (major, minor) not in (("1", "1"), ("1", "0")):
        return Fault(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if len(target) > MAX_TARGET_BYTES:
        return Fault(414, "the target is too long")
    if _TARGET.fullmatch(target) is None:
        return Fault(400, "the target must be a path")
    if len(lines) > MAX_FIELDS:
        return Fault(431, "there are too many header fields")
    fields = _fields(lines)
    if isinstance(fields, Fault):
        return fields
    head = Head(raw, method, target, minor == "1", fields)
    return _host_fault(head) or _body_fault(fields) or head


def too_large(beginning: bytes | bytearray) -> Fault:
    """The fault of a head that begins like this and is longer than `MAX_HEAD_BYTES`."""
    if beginning.find(b"\r\n", 0, MAX_HEAD_BYTES) < 0:
        return Fault(414, "the request line is too long")
    return Fault(431, "the head is too large")


def _fields(lines: list[str]) -> dict[str, str] | Fault:
    fields: dict[str, str] = {}
    for line in lines:
        # Not of this form: no colon, no name, a blank before the colon, a line that continues the one before, or one
        # with a CR or LF of its own.
        found = _FIELD.fullmatch(line)
        if found is None:
            return Fault(400, "a header field is malformed")
        name, value = found[1].lower(), found[2].rstrip(" \t")
        if name in fields:
            if name in SINGLE:
                return Fault(400, "a header field is there twice")
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


def _host_fault(head: Head) -> Fault | None:
    host = head.fields.get("host")
    if host is None:
        return Fault(400, "the Host field is missing") if head.is_1_1 else None
    return None if _HOST.fullmatch(host) else Fault(400, "the Host field is malformed")


def _body_fault(fields: dict[str, str]) -> Fault | None:
    """No request to the relay has a body; where one is announced, what follows could be read as another request."""
    length = fields.get("content-length")
    if "transfer-encoding" in fields:
        if length is not None:
            return Fault(400, "the length of the body is ambiguous")
        return Fault(501, "a request must have no body")
    if length is not None and length.strip("0123456789"):
        return Fault(400, "the Content-Length field is malformed")
    if length is not None and length != "0":
        return Fault(413, "a request must have no body") if length else Fault(400, "the Content-Length field is empty")
    return Fault(417, "no expectation is met here") if "expect" in fields else None
