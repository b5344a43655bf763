"""Origins of browser pages (RFC 6454), in the form in which they are compared."""

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def normal(origin: str) -> str:
    """*origin* in lower case and without the default port, as browsers send it. Raises ValueError where it is none.

    ``null`` is one: that of sandboxed pages and of files.
    """
    parts = urlsplit(origin.strip().lower())
    if parts.geturl() == "null":
        return "null"
    host, port = parts.hostname or "", parts.port  # ValueError: no port number
    if not parts.scheme or "//" not in origin or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("no origin")
    if "@" in parts.netloc or "*" in host:
        raise ValueError("no origin")
    if not host.isascii():
        host = host.encode("idna").decode()
    if ":" in host:
        host = f"[{host}]"
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, DEFAULT_PORTS.get(parts.scheme)) else "")


def origin(text: str) -> str:
    """An origin in the form in which it is compared; ``*`` stands for every one."""
    try:
        return text if text == "*" else normal(text)
    except ValueError:
        raise ValueError(
            "an origin, scheme://host or scheme://host:port without path, such as https://app.example.com, or *"
        ) from None


Origin = Annotated[str, Meta(extra={"read": origin})]
"""The kind of a setting."""
