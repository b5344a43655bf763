"""Recorded conversations replay byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from twisted.internet.task import Clock

from tests.support.conversations import replay

TALKS = json.loads((Path(__file__).parent.parent / "vectors" / "conversations.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: f"{talk['protocol']}: {talk['about']}")
def test_a_recorded_conversation_replays(clock: Clock, talk: dict[str, Any]) -> None:
    """To the letter, in order, and with nothing besides."""
    assert replay(clock, talk) == talk["lines"]
