"""Origins of pages: written in any way that means the same, and refused where they could never match."""

import pytest

from tickrelay.config.origins import normal, origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://UP.example:443", "https://up.example"),
        ("https://up.example/", "https://up.example"),
        ("http://up.example:80", "http://up.example"),
        ("http://up.example:443", "http://up.example:443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("file://", "file://"),
        ("null", "null"),
    ],
)
def test_one_form_for_all_that_mean_the_same(text: str, origin: str) -> None:
    """That of browsers, which leave the default port out."""
    assert normal(text) == normal(origin) == origin


@pytest.mark.parametrize(
    "text",
    ["example.com", "https://example.com/app", "https://a@example.com", "https://*.example.com", "https://a:x", "a:1"],
)
def test_what_can_never_match_is_refused(text: str) -> None:
    """With how an origin is written."""
    with pytest.raises(ValueError, match=r"^an origin, scheme://host or scheme://host:port"):
        origin(text)


def test_an_origin_is_kept_as_it_is_compared() -> None:
    """* is every origin."""
    found = [origin(text) for text in ("https://A.example", "http://b.example:80", "*")]
    assert found == ["https://a.example", "http://b.example", "*"]
