"""The setting of trusted proxies: what it takes, and what it says of what it does not."""

import pytest

from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.model.errors import SettingError


def proxies(value: str) -> tuple[str, ...]:
    """The setting, from the environment."""
    environ = {"TICKRELAY_TRUSTED_PROXIES": value}
    preset = {"client_id": "a", "client_secret": "b", "access_token": "c", "account_id": 1}
    return settings.load(Places({}, environ, {}), ctrader=preset).clients.trusted_proxies


def test_addresses_networks_and_unix() -> None:
    """Between commas, in any spelling."""
    found = proxies("127.0.0.1, 10.0.0.0/8,2001:DB8:0::/32 unix")
    assert found == ("127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32", "unix")


def test_nobody_is_trusted_by_default() -> None:
    """Anybody can send X-Forwarded-For."""
    assert settings.ClientSettings().trusted_proxies == ()


@pytest.mark.parametrize("value", ["proxy.example.com", "10.0.0.1/8", "10.0.0.0/33", "*", "127.0.0.1:80"])
def test_what_is_no_network_is_refused(value: str) -> None:
    """With the name of the setting, what it wants, and the value."""
    with pytest.raises(SettingError) as raised:
        proxies(f"127.0.0.1,{value}")
    (problem,) = raised.value.problems
    assert problem.startswith("TICKRELAY_TRUSTED_PROXIES[1] must be the address or network of a proxy")
    assert repr(value) in problem
