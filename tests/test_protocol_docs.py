"""The protocol's documentation and its vectors say the same."""

import json
import re
from pathlib import Path

import pytest

from tickrelay.config import settings
from tickrelay.model.errors import CloseCode, ErrorCode
from tickrelay.model.status import FeedState, Status
from tickrelay.wire.messages import AnyMessage
from tickrelay.wire.requests import ALL, type_of

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "protocol.rst").read_text(encoding="utf-8")


def examples() -> list[str]:
    """Every line of every JSON block."""
    blocks = re.findall(r"\.\. code-block:: json\n\n((?:   .*\n)+)", TEXT)
    return [line.strip() for block in blocks for line in block.splitlines()]


def vectors() -> set[str]:
    """Every JSON text in the vectors."""
    found: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, str):
            found.add(value[2:] if value.startswith(("> ", "< ")) else value)
        elif isinstance(value, list | dict):
            for item in value.values() if isinstance(value, dict) else value:
                collect(item)

    for path in (ROOT / "tests" / "vectors").glob("*.json"):
        collect(json.loads(path.read_text(encoding="utf-8")))
    return found


def test_every_example_is_a_vector() -> None:
    """What people read is what tests hold the relay to."""
    assert len(examples()) > 40
    assert [example for example in examples() if example not in vectors()] == []


@pytest.mark.parametrize("words", [Status, FeedState, ErrorCode], ids=lambda words: words.__name__)
def test_every_word_is_explained(words: type[Status] | type[FeedState] | type[ErrorCode]) -> None:
    """A status, state or code without a line of explanation fails here."""
    assert [word.value for word in words if f"``{word.value}``" not in TEXT] == []


def test_every_close_code_is_explained() -> None:
    """Each has its line in the table."""
    listed = {int(code) for code in re.findall(r"^(\d{4}) [A-Z]", TEXT, re.MULTILINE)}
    assert {int(code) for code in CloseCode} <= listed


def test_every_message_has_an_example() -> None:
    """Each type of request and of answer is shown."""
    shown = {json.loads(example)["type"] for example in examples()}
    told = {str(kind.__struct_config__.tag) for kind in AnyMessage.__args__}
    assert shown == {type_of(kind) for kind in ALL} | told | {"tick"}


def test_the_defaults_are_those_of_the_settings() -> None:
    """The table agrees with the code."""
    defaults = {s.env: s.default for s in settings.settings()}
    rows = re.findall(r"^``(TICKRELAY_\w+)``\s+(\d+)  ", TEXT, re.MULTILINE)
    assert len(rows) == 14
    for name, value in rows:
        assert defaults[name] == float(value), name
