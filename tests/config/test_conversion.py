"""Values of settings from text and TOML: what is taken, and the one sentence about what is not."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from tickrelay.config.conversion import SHOWN_CHARACTERS, check, convert, from_table
from tickrelay.config.schema import FilePath, HostName, ListeningPort, Port, Secret, Text, setting
from tickrelay.model.errors import SettingError

Whole = Annotated[int, Meta(ge=-5, le=2**63 - 1)]
Number = Annotated[float, setting("of seconds", ge=0.05, le=86_400, unit="s")]
Over = Annotated[float, Meta(gt=0, le=100_000)]
KINDS = (Whole, Port, ListeningPort | None, Number, Over, bool, Literal["a", "b"], Text, HostName, tuple[Port, ...])


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A table."""

    count: Port
    word: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Outer:
    """A table of tables."""

    name: Text
    wait_s: Annotated[float, setting("of waiting", flag="wait", ge=0, le=10)] = 1.0
    inner: Inner = field(default_factory=lambda: Inner(count=1))
    more: tuple[Inner, ...] = ()

    def __post_init__(self) -> None:
        """Raise SettingError."""
        check(self, "outer.")


def refused(kind: Any, value: Any, **more: Any) -> str:
    """The sentence about a value that is not taken."""
    with pytest.raises(SettingError) as raised:
        convert(kind, value, "NAME", **more)
    return str(raised.value)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Whole, "-5", -5),
        (Whole, "007", 7),
        (Whole, str(2**63 - 1), 2**63 - 1),
        (Number, ".5", 0.5),
        (Number, "1e3", 1000.0),
        (Number, 3, 3.0),
        (ListeningPort | None, "0", 0),
        (ListeningPort | None, None, None),
        (bool, "Yes", True),
        (bool, "false", False),
        (bool, True, True),
        (Literal["a", "b"], "b", "b"),
        (tuple[str, ...], "a, b c", ("a", "b", "c")),
        (tuple[str, ...], ["a b"], ("a b",)),
        (tuple[str, ...], "", ()),
        (HostName, "live.ctraderapi.com", "live.ctraderapi.com"),
        (FilePath, "/a", "/a"),
        (Secret, "x", Secret("x")),
        (Inner, {"count": "3"}, Inner(count=3)),
    ],
)
def test_what_is_taken(kind: Any, value: Any, expected: Any) -> None:
    """Text as people write it, and what TOML has, with the type that the annotation names."""
    converted = convert(kind, value, "NAME")
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Port, "x", "must be a whole number from 1 to 65535, not 'x'"),
        (Port, "0", "must be a whole number from 1 to 65535, not '0'"),
        (Port, "1e3", "must be a whole number from 1 to 65535, not '1e3'"),
        (Port, "8080.0", "must be a whole number from 1 to 65535, not '8080.0'"),
        (Port, "\u0661\u0662", "must be a whole number from 1 to 65535, not '\u0661\u0662'"),
        (Port, 8080.0, "must be a whole number from 1 to 65535, not 8080.0"),
        (Port, True, "must be a whole number from 1 to 65535, not True"),
        (Port, "", "must be a whole number from 1 to 65535"),
        (ListeningPort | None, "null", "must be a whole number from 0 to 65535, not 'null'"),
        (Number, "nan", "must be a number from 0.05 to 86400, not 'nan'"),
        (Number, "inf", "must be a number from 0.05 to 86400, not 'inf'"),
        (Number, True, "must be a number from 0.05 to 86400, not True"),
        (Over, "0", "must be a number over 0, at most 100000, not '0'"),
        (bool, "1", "must be yes or no, not '1'"),
        (bool, 1, "must be yes or no, not 1"),
        (Literal["a", "b"], "c", "must be a or b, not 'c'"),
        (Text, "", "must not be empty"),
        (Text, 5, "must be text, not 5"),
        (HostName, "a:1", "must be a host name without scheme or port, such as demo.ctraderapi.com, not 'a:1'"),
        (FilePath, "~no-such-user/x", "must be a path whose ~user exists, not '~no-such-user/x'"),
        (tuple[Port, ...], 5, "must be a list"),
        (tuple[Port, ...], "1 x", "[1] must be a whole number from 1 to 65535, not 'x'"),
        (Inner, 5, "must be a table"),
    ],
)
def test_what_is_not_taken(kind: Any, value: Any, said: str) -> None:
    """The sentence names the setting, says what it must be and what it is."""
    assert refused(kind, value).removeprefix("NAME").lstrip() == said


@pytest.mark.parametrize("kind", [Port, Number])
@pytest.mark.parametrize("value", ["9" * 5000, 16**5000], ids=["text", "number"])
def test_a_number_of_thousands_of_digits(kind: Any, value: Any) -> None:
    """Python converts no more than 4300 digits, either way; the sentence says only what the setting must be."""
    said = refused(kind, value)
    assert said.startswith("NAME must be a ") and ", not " in said
    assert len(said) < 80 + SHOWN_CHARACTERS


def test_what_is_secret_is_not_quoted() -> None:
    """However wrong it is."""
    assert refused(Secret, 5, quote=False) == "NAME must be text"
    assert "canary" not in refused(Port, "canary", quote=False)


@given(st.sampled_from(KINDS), st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none()))
def test_any_value_is_converted_or_refused(kind: Any, value: Any) -> None:
    """Nothing but SettingError is raised, of short lines; what was converted is converted again as it is."""
    try:
        converted = convert(kind, value, "NAME")
    except SettingError as e:
        assert all(line.startswith("NAME") and "\n" not in line and len(line) < 200 for line in e.problems)
    else:
        assert convert(kind, converted, "NAME") == converted


def test_a_table_of_tables() -> None:
    """Names may have dashes; what is not given has its default."""
    values = {"name": "x", "wait-s": "2", "inner": {"count": 2}, "more": [{"count": 3, "word": "b"}]}
    made = from_table(Outer, values)
    assert made == Outer(name="x", wait_s=2.0, inner=Inner(count=2), more=(Inner(count=3, word="b"),))


def test_all_that_is_wrong_with_a_table_is_told_at_once() -> None:
    """Each with its place; a setting that has a flag is named by it."""
    values = {"wait_s": "x", "inner": {"word": "c"}, "more": [{"count": 1}, {"count": 0}, 7], "xyzzy": 1}
    with pytest.raises(SettingError) as raised:
        from_table(Outer, values, "file.")
    assert list(raised.value.problems) == [
        "file.wait must be a number from 0 to 10, not 'x'",
        "file.inner.word must be a or b, not 'c'",
        "file.inner.count is missing",
        "file.more[1].count must be a whole number from 1 to 65535, not 0",
        "file.more[2] must be a table",
        "file.xyzzy is no setting; there are name, wait_s, inner, more",
        "file.name is missing",
    ]


def test_values_set_by_code_are_checked_too() -> None:
    """The constructor of a class that calls `check`, and with it dataclasses.replace, takes no other values."""
    with pytest.raises(SettingError) as raised:
        Outer(name="", wait_s=11)
    assert raised.value.problems == (
        "outer.name must not be empty",
        "outer.wait must be a number from 0 to 10, not 11",
    )
