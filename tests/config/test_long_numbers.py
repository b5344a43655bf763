"""Python refuses to convert whole numbers of more than 4,300 digits: no setting lets its words about that out."""

from typing import Any

import pytest

from tickrelay.config.conversion import convert
from tickrelay.config.schema import Setting, settings_of
from tickrelay.config.settings import settings
from tickrelay.model.errors import SettingError
from tickrelay.simulator.faults.sustained import payload_type
from tickrelay.simulator.settings import AccountSettings, Rules, SimulatorSettings, UserSettings

SIMULATORS: tuple[Any, ...] = (SimulatorSettings, Rules, UserSettings, AccountSettings)
ALL = [*settings(), *(s for cls in SIMULATORS for s in settings_of(cls))]
LONG = {
    "text": "9" * 5000,
    "negative": "-" + "9" * 5000,
    "decimal": "9" * 5000 + ".5",
    "exponent": "1e" + "9" * 5000,
    "number": 16**5000,
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG)
@pytest.mark.parametrize("each", ALL, ids=lambda s: s.env or s.name)
def test_no_setting(each: Setting, value: object) -> None:
    """It is refused by what the setting must be, or taken as text; the sentence is short."""
    try:
        convert(each.kind, value, each.name, quote=not each.secret)
    except SettingError as e:
        assert str(e).startswith(each.name) and "Exceeds" not in str(e) and "digits)" not in str(e)
        assert len(str(e)) < 300


@pytest.mark.parametrize("word", ["9" * 5000, "\u00b2"])
def test_no_request_in_a_fault_script(word: str) -> None:
    """Nor does a digit that int() does not take."""
    with pytest.raises(SettingError, match=r"^no request "):
        payload_type(word)
