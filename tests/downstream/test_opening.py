"""The opening request: every offer is answered, and no token is repeated in an answer."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from tickrelay.admission.refusals import Refusal, origin_refusal
from tickrelay.downstream.opening import MAX_ECHO_CHARACTERS, choose
from tickrelay.downstream.tokens import SUBPROTOCOL_PREFIX, Shown, offered
from tickrelay.wire.encodings import make_encodings

ENCODINGS = make_encodings("e1")
KNOWN = [encoding.subprotocol for encoding in ENCODINGS if encoding.subprotocol]

names = st.sampled_from(KNOWN) | st.text(max_size=40) | st.text(max_size=40).map(SUBPROTOCOL_PREFIX.__add__)


@given(st.lists(names), st.booleans())
def test_any_offer_is_answered(offers: list[str], refused: bool) -> None:
    """With the first known subprotocol, or a short one of the client's and a refusal; with none where none is asked."""
    opening = choose(offers, ENCODINGS, origin_refusal("https://evil.example") if refused else None)
    known = [name for name in offers if name in KNOWN]
    asked = [name for name in offers if name and not name.startswith(SUBPROTOCOL_PREFIX)]
    if known:
        assert opening.subprotocol == opening.encoding.subprotocol == known[0]
    else:
        assert opening.encoding is ENCODINGS.basic
        assert opening.subprotocol == next((name for name in asked if len(name) <= MAX_ECHO_CHARACTERS), None)
    expected = Refusal.ORIGIN if refused else Refusal.PROTOCOL if asked and not known else None
    assert (opening.refusal[0] if opening.refusal else None) is expected


def test_the_reason_of_a_refusal_fits_a_close_frame() -> None:
    """RFC 6455 leaves 123 bytes for it."""
    for origin, offers in (("https://" + "e" * 500, []), ("", ["x" * 500])):
        opening = choose(offers, ENCODINGS, origin_refusal(origin) if origin else None)
        assert opening.refusal is not None
        assert len(opening.refusal[1].encode()) <= 123


@given(st.text(min_size=1), st.booleans())
def test_a_token_in_base64url_is_found(token: str, padded: bool) -> None:
    """With or without padding, whatever its characters."""
    item = base64.urlsafe_b64encode(token.encode()).decode()
    assert offered([SUBPROTOCOL_PREFIX + (item if padded else item.rstrip("="))], "") == Shown(token)


@given(st.text(), st.text())
def test_what_is_no_token_has_a_fault_that_fits_a_close_frame(item: str, authorization: str) -> None:
    """A malformed token is neither taken for an absent one nor repeated."""
    shown = offered([SUBPROTOCOL_PREFIX + item], authorization)
    assert shown is not None
    assert bool(shown.token) is not bool(shown.fault)
    assert len(shown.fault.encode()) <= 123
    offered([], authorization)
