"""Declarations of settings: what an annotation tells, and the kinds of this project's own."""

from dataclasses import MISSING, dataclass
from typing import Annotated, ClassVar

import pytest

from tickrelay.config.schema import Port, Secret, Setting, Text, file_path, host_name, is_loopback, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class Group:
    """Some settings."""

    purpose: ClassVar[str] = "clients"

    name: Annotated[Text, setting("its name", env="NAME")]
    key: Annotated[Secret, setting("its key", env="KEY")] = Secret("")
    port: Annotated[Port, setting("its port", env="PORT", flag="port", purpose="operators")] = 1
    wait_s: Annotated[float, setting("its wait", env="WAIT", unit="s", ge=0, le=10)] = 1e7
    words: Annotated[tuple[str, ...], setting("its words", env="WORDS")] = ("a", "b")
    on: bool = True
    other: int | None = None


def test_the_fields_of_a_class() -> None:
    """Everything that the annotation tells; the purpose is the class's where a field has none of its own."""
    found = {s.name: s for s in settings_of(Group)}
    assert list(found) == ["name", "key", "port", "wait_s", "words", "on", "other"]
    kind = found["port"].kind
    assert found["port"] == Setting(
        name="port", kind=kind, default=1, about="its port", env="PORT", flag="port", purpose="operators"
    )
    assert (found["name"].default, found["name"].flag, found["name"].purpose) == (MISSING, None, "clients")
    assert [s.name for s in found.values() if s.secret] == ["key"]


def test_defaults_for_people() -> None:
    """With the unit, without an exponent, never a secret."""
    shown = [s.default_text for s in settings_of(Group)]
    assert shown == ["required", "none", "1", "10000000 s", "a b", "yes", "none"]


def test_a_secret_does_not_print() -> None:
    """It compares and hashes by its value."""
    assert "canary" not in f"{Secret('canary')} {Secret('canary')!r}"
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


@pytest.mark.parametrize("host", ["", "https://a", "a:1", "me@a", "a b", "0.0.0.0", "::", "*"])
def test_what_is_no_host(host: str) -> None:
    """URLs, ports, and addresses to listen on."""
    with pytest.raises(ValueError, match="such as demo"):
        host_name(host)


def test_addresses_of_this_machine() -> None:
    """The name, and every loopback address."""
    assert [is_loopback(host) for host in ("LOCALHOST", "127.1.2.3", "::1", "a.example")] == [True, True, True, False]


def test_a_path_in_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell replaces ~ only where a word begins with it, and .env has no shell."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert file_path("~/tokens") == "/home/someone/tokens"
