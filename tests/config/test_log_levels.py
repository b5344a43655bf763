"""The setting of log levels."""

import pytest

from tickrelay.config.conversion import convert
from tickrelay.config.log_levels import LogLevels, by_namespace
from tickrelay.model.errors import SettingError


def test_levels_by_namespace() -> None:
    """One for all, others for parts; info where none is given for all."""
    assert by_namespace("warn") == {"": "warn"}
    assert by_namespace("tickrelay.upstream=debug") == {"": "info", "tickrelay.upstream": "debug"}
    assert by_namespace("INFO, a.b=Error") == {"": "info", "a.b": "error"}


@pytest.mark.parametrize(
    "text", ["inof", "info=", "=info", ",", "a=b", "info warning", "info,debug", "a=info,a=warn", "a b=info c"]
)
def test_what_is_no_level(text: str) -> None:
    """The sentence names the levels there are, and how one of a part is written."""
    with pytest.raises(SettingError) as raised:
        convert(LogLevels, text, "--log-level")
    assert str(raised.value) == (
        "--log-level must be one of debug, info, warn, error, critical, and NAMESPACE=LEVEL for parts, such as "
        f"info,tickrelay.upstream=debug, not {text!r}"
    )
