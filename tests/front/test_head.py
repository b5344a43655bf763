"""The head of a request: what is sound is read as it was meant, all else is refused, and nothing is said back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.front.head import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES, SINGLE, Fault, Head, parse

TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcxyzABCXYZ", min_size=1, max_size=20)
VALUE = st.text([chr(n) for n in range(32, 127)] + ["\t"], max_size=40).map(lambda text: text.strip(" \t"))
MEANT = {"host", "content-length", "transfer-encoding", "expect"}
FIELDS = st.dictionaries(TOKEN.filter(lambda name: name.lower() not in MEANT), VALUE, max_size=20)
TARGET = st.text("abc/?=&%.~-_:@!$'()*+,;[]{}|^`", max_size=60).map("/x".__add__)


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    """A head with these lines besides the Host."""
    return b"\r\n".join([first, b"Host: localhost:8080", *lines, b"", b""])


def status(raw: bytes) -> int:
    """That of the fault; 200: there is none."""
    found = parse(raw)
    return found.status if isinstance(found, Fault) else 200


@given(TOKEN, TARGET, FIELDS, st.sampled_from(["", " ", "\t", " \t  "]))
def test_a_sound_head_is_read_as_it_was_written(method: str, target: str, fields: dict[str, str], blank: str) -> None:
    """Method, target and fields, whose names are in lower case and whose values are without the blanks around."""
    lines = [f"{name}:{blank}{value}{blank}".encode() for name, value in fields.items()]
    raw = request(*lines, first=f"{method} {target} HTTP/1.1".encode())
    head = parse(raw)
    names = [name.lower() for name in fields]
    if len(set(names)) < len(names) and any(names.count(name) > 1 for name in SINGLE):
        assert isinstance(head, Fault)
        return
    assert isinstance(head, Head)
    assert (head.raw, head.method, head.target, head.is_1_1) == (raw, method, target, True)
    expected: dict[str, str] = {"host": "localhost:8080"}
    for name, value in zip(names, fields.values(), strict=True):
        expected[name] = f"{expected[name]}, {value}" if name in expected else value
    assert head.fields == expected


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\r\n\r\n", b"") + b"\r\n\r\n"))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing is raised, and a fault's answer has a status of HTTP and none of the client's bytes that matter."""
    found = parse(raw)
    assert isinstance(found, Head) or 400 <= found.status <= 505


@given(st.data())
def test_a_changed_head_is_read_or_refused(data: st.DataObject) -> None:
    """One byte is another, is gone, or is there twice: no exception; and a head that is taken has only sound bytes."""
    raw = request(b"Origin: https://app.example.com", b"Upgrade: websocket", b"Content-Length: 0", b"X-A: b")
    at = data.draw(st.integers(0, len(raw) - 5))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    changed = data.draw(
        st.sampled_from([raw[:at] + byte + raw[at + 1 :], raw[:at] + raw[at + 1 :], raw[:at] + byte + raw[at:]])
    )
    found = parse(changed[: changed.index(b"\r\n\r\n") + 4])
    if isinstance(found, Head):
        assert all(byte in b"\r\n\t" or 32 <= byte < 127 for byte in found.raw)
        assert (
            found.raw.count(b"\r\n")
            == found.raw.count(b"\r")
            == found.raw.count(b"\n")
            == 1 + len([line for line in found.raw.split(b"\r\n")[1:-1] if line]) + 1
        )


@pytest.mark.parametrize(
    "line",
    [
        b" folded: line", b"\tfolded: line", b"X-A : blank", b"X-A\t: blank", b"no colon", b": no name", b"",
        b"X\xe4: name", b"X-A: v\xe4lue", b"X(A): v", b"X-A: a\x00b", b"X-A: a\x0bOrigin: b", b"X-A: a\x7f",
        b"X-A: a\rOrigin: b", b"X-A: a\nOrigin: b", b"X-A: a\x1cOrigin: b", b"X-A: a\x85Origin: b",
    ],
)  # fmt: skip
def test_a_malformed_line_is_refused(line: bytes) -> None:
    """What one parser takes for a field, the next for two or none."""
    raw = request(b"X-B: b", line, b"X-C: c") if line else b"\r\n" + request()
    assert status(raw[: raw.index(b"\r\n\r\n") + 4] if line else raw) == 400


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_a_field_that_counts_is_there_once(name: str) -> None:
    """Two lines would be read as the first by one program, as the last or both by another."""
    value = {"content-length": b"0", "host": b"localhost:8080"}.get(name, b"x")
    line = name.encode() + b": " + value
    twice = request(line, *([line.upper()] if name != "host" else []))
    assert status(twice) == 400


def test_other_fields_may_have_several_lines() -> None:
    """They are one list (RFC 9110, 5.3): so write some proxies X-Forwarded-For, some clients the subprotocols."""
    head = parse(request(b"X-Forwarded-For: 192.0.2.1", b"x-forwarded-for: 10.0.0.1"))
    assert isinstance(head, Head)
    assert head.fields["x-forwarded-for"] == "192.0.2.1, 10.0.0.1"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET / HTTP/1.1", 200), (b"BREW /pot?a=b HTTP/1.1", 200), (b"GET / HTTP/1.0", 200),
        (b"GET / HTTP/0.9", 505), (b"GET / HTTP/1.2", 505), (b"PRI * HTTP/2.0", 505), (b"GET / HTTP/11.1", 400),
        (b"GET / http/1.1", 400), (b"GET  / HTTP/1.1", 400), (b"GET / HTTP/1.1 ", 400), (b" GET / HTTP/1.1", 400),
        (b"GET /", 400), (b"", 400), (b"GET /a b HTTP/1.1", 400), (b"GET\t/ HTTP/1.1", 400), (b"G(T / HTTP/1.1", 400),
        (b"GET http://x/ HTTP/1.1", 400), (b"OPTIONS * HTTP/1.1", 400), (b"CONNECT x:1 HTTP/1.1", 400),
        (b"GET //x/ HTTP/1.1", 400), (b"GET /a#b HTTP/1.1", 400), (b"GET /<script> HTTP/1.1", 400),
        (b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1", 414), (b"GET /" + b"a" * 20_000 + b" HTTP/1.1", 414),
    ],
)  # fmt: skip
def test_the_request_line(first: bytes, expected: int) -> None:
    """Method, one blank, a path, one blank, the version; the path is bounded."""
    assert status(request(first=first)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"Content-Length: 0"], 200), ([b"Content-Length: 5"], 413), ([b"Content-Length: 00"], 413),
        ([b"Content-Length: +0"], 400), ([b"Content-Length: 0, 0"], 400), ([b"Content-Length:"], 400),
        ([b"Content-Length: 0x0"], 400), ([b"Transfer-Encoding: chunked"], 501), ([b"Transfer-Encoding:"], 501),
        ([b"Transfer-Encoding: identity"], 501), ([b"Transfer-Encoding: chunked", b"Content-Length: 0"], 400),
        ([b"Expect: 100-continue"], 417), ([b"Upgrade: h2c"], 200),
    ],
)  # fmt: skip
def test_no_request_has_a_body(lines: list[bytes], expected: int) -> None:
    """Where one is announced, what follows could be read as another request."""
    assert status(request(*lines)) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"", 200), (b"x", 200), (b"ticks.example.com:443", 200), (b"[::1]:8080", 200), (b"192.0.2.1", 200),
        (b"x:port", 400), (b"x:1:2", 400), (b"a b", 400), (b"a/b", 400), (b"u@h", 400), (b"a, b", 400),
    ],
)  # fmt: skip
def test_the_host(host: bytes, expected: int) -> None:
    """A name or address, perhaps with a port."""
    assert status(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == expected


def test_a_host_is_needed() -> None:
    """Of HTTP/1.1; a health check of HTTP/1.0 has none."""
    assert status(b"GET / HTTP/1.1\r\n\r\n") == 400
    assert status(b"GET / HTTP/1.0\r\n\r\n") == 200


def test_a_head_is_bounded() -> None:
    """In bytes, the empty line counted, and in fields."""
    room = MAX_HEAD_BYTES - len(request(b"X: "))
    assert status(request(b"X: " + b"a" * room)) == 200
    assert status(request(b"X: " + b"a" * (room + 1))) == 431
    assert status(request(*[b"X: y"] * (MAX_FIELDS - 1))) == 200
    assert status(request(*[b"X: y"] * MAX_FIELDS)) == 431
