"""Endpoint descriptions: what people write in their place is recognised, and no parser's error text gets out."""

from pathlib import Path

import pytest
import trustme
from hypothesis import assume, given
from hypothesis import strategies as st

from twisted.internet.testing import MemoryReactorClock

from tickrelay import endpoints
from tickrelay.endpoints import KINDS, address, meant, parse
from tickrelay.model.errors import SettingError


def mistake(description: str) -> str:
    """What is said of a description that cannot be parsed."""
    with pytest.raises(SettingError) as raised:
        parse(MemoryReactorClock(), description, "--listen")
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("9001", "tcp:9001"),
        (":9001", "tcp:9001"),
        ("*:9001", "tcp:9001"),
        ("0.0.0.0:9001", "tcp:9001"),
        ("127.0.0.1:9001", "tcp:9001:interface=127.0.0.1"),
        ("localhost:9001", "tcp:9001:interface=127.0.0.1"),
        ("[::1]:9001", r"tcp:9001:interface=\:\:1"),
        ("ws://127.0.0.1:9001/", "tcp:9001:interface=127.0.0.1"),
    ],
)
def test_an_address_is_rewritten(text: str, description: str) -> None:
    """The message has what to write instead, and that parses."""
    assert mistake(text) == f"--listen: {text!r} is no Twisted endpoint: write {description}"
    assert meant(text) == description
    parse(MemoryReactorClock(), description, "--listen")


@pytest.mark.parametrize("text", ["foo", "", "70000", "fd:3", "nohost:9001", "wss://127.0.0.1:9001/"])
def test_what_is_no_address_is_not_rewritten(text: str) -> None:
    """The message then lists the kinds of endpoints."""
    assert meant(text) is None
    assert "write tcp:PORT, or one of ssl:, unix:, systemd:" in mistake(text)


@pytest.mark.parametrize("text", ["tcp", "tcp:", "tcp:abc", "tcp:high:interface=127.0.0.1"])
def test_a_bad_port_is_named(text: str) -> None:
    """Not with the text of int()'s error."""
    assert mistake(text) == f"--listen: the port in {text!r} must be a whole number from 0 to 65535, as in tcp:9001"


@pytest.mark.parametrize("text", ["tcp:9001:interfaces=x", "tcp:9001:interface=::1", "tcp:9001:backlog=x", "unix"])
def test_a_bad_option_is_no_exceptions_text(text: str) -> None:
    """The message says how an endpoint is written."""
    assert "Twisted cannot read the endpoint" in mistake(text)
    assert "argument" not in mistake(text) and "invalid literal" not in mistake(text)


def test_systemd_without_a_socket() -> None:
    """Started by hand, there is none."""
    assert "systemd passed no such socket" in mistake("systemd:domain=INET:index=0")


def test_files_that_are_missing_or_no_pem(tmp_path: Path) -> None:
    """The path and the reason; where OpenSSL cannot read it, that it is no PEM file."""
    assert "cannot read /nowhere/key" in mistake("ssl:443:privateKey=/nowhere/key")
    (tmp_path / "key").write_text("no key")
    assert "no PEM files" in mistake(f"ssl:443:privateKey={tmp_path}/key:certKey={tmp_path}/key")


# Twisted 26.10 hands pyOpenSSL its own kind of certificate where an endpoint is described by a string.
@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning", "ignore:X509.get_:DeprecationWarning")
@pytest.mark.parametrize("content", ["missing", "empty", "key alone", "no name", "file"])
def test_a_directory_of_certificates_without_one(tmp_path: Path, content: str) -> None:
    """Every handshake would fail there, which nobody would see before the first client."""
    folder = tmp_path / "missing"
    if content != "missing":
        folder.mkdir()
        pair = trustme.CA().issue_cert("a@example.com" if content == "no name" else "localhost")
        if content == "key alone":
            pair.private_key_pem.write_to_path(folder / "a.pem")
        if content in ("no name", "file"):
            pair.private_key_and_cert_chain_pem.write_to_path(folder / ("a.pem" if content == "no name" else "a.txt"))
    assert f"the directory of 'tls:{folder}:443' needs .pem files" in mistake(f"tls:{folder}:443")


def test_what_else_is_wrong_with_tls(tmp_path: Path) -> None:
    """The port comes after the directory there; neither it nor an unknown option is the certificates' fault."""
    assert "the port in" in mistake(f"tls:{tmp_path}:abc")
    assert "Twisted cannot read the endpoint" in mistake(f"tls:{tmp_path}:443:foo=1")


@pytest.mark.parametrize("text", ["tls:", "tls::443"])
def test_no_directory_is_not_the_working_directory(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twisted would read each file below it for a certificate."""
    monkeypatch.setattr(endpoints, "serverFromString", None)
    assert mistake(text) == f"--listen: {text!r} names no directory of certificates: write tls:DIRECTORY:PORT"


def test_standard_input_is_no_listener() -> None:
    """Twisted's stdio: has a client of its own and no port."""
    assert mistake("stdio:") == "--listen: stdio: is one connection and no listener: write tcp:PORT"


@given(st.text(alphabet="0123456789.:*[]/wshtpcl=\\abf", max_size=30))
def test_any_text_parses_or_is_one_line(text: str) -> None:
    """Nothing but SettingError comes out, and what is suggested is an endpoint."""
    assume(not text.startswith(("tls:.", "tls:/", "tls:\\")))  # Twisted reads each file below that directory
    try:
        parse(MemoryReactorClock(), text, "--listen")
    except SettingError as e:
        assert "\n" not in str(e)
    if (wanted := meant(text)) and text.partition(":")[0] not in KINDS:
        parse(MemoryReactorClock(), wanted, "--listen")
        assert address(text) is not None
