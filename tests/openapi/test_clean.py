"""A server's text for people: bounded, on one line, without what a terminal obeys, without secrets."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.openapi.frames import MAX_SECRET_CHARACTERS, clean


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain text", "plain text"),
        (b"na\xc3\xafve \xff", "naïve \ufffd"),
        ("one\r\ntwo\tthree", "one  two three"),
        ("\x1b[31mred\x07\x9b2J", "[31mred  2J"),
        ("user\u202egnp.exe\u2066x\u2069", "user gnp.exe x"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("\ud800", ""),
        ("x" * 301, "x" * 300),
        ("", ""),
    ],
)
def test_texts(value: str | bytes, expected: str) -> None:
    """Each control character is a space."""
    assert clean(value) == expected


def test_secrets_go_before_the_cut() -> None:
    """Half a token would be left otherwise."""
    token = "t" * 40
    text = clean("x" * 280 + token, redact=lambda text: text.replace(token, "***"))
    assert text == "x" * 280 + "***"


def test_a_control_character_inside_a_secret_does_not_bring_it_back() -> None:
    """It is not the secret then, and does not become it."""
    assert clean("se\x00cret", redact=lambda text: text.replace("secret", "***")) == "se cret"


@given(st.text() | st.binary())
def test_whatever_comes(value: str | bytes) -> None:
    """It can be encoded, printed and sent."""
    text = clean(value)
    assert len(text) <= 300
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert text.encode().decode() == text


def test_a_text_of_megabytes_is_not_searched_for_secrets() -> None:
    """Only its beginning is, and half a token at the end of that is left out."""
    read: list[int] = []
    token = "t" * MAX_SECRET_CHARACTERS

    def redact(text: str) -> str:
        read.append(len(text))
        return text.replace(token, "***")

    for length in (1, 100, MAX_SECRET_CHARACTERS - 1):
        text = clean("x" * length + 2_000 * token, redact=redact)
        assert set(text) <= {"x", "*"}
    assert max(read) <= 4 * MAX_SECRET_CHARACTERS
