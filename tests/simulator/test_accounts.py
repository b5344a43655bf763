"""What the settings of users and application may be: a mistake ends the start with one line."""

from collections.abc import Callable

import pytest

from tests.support.broker import Broker
from tickrelay.model.errors import SettingError
from tickrelay.simulator.accounts import Accounts
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.simulator_tap import Options


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--user", "T:1001"], "account 1001 belongs to two users"),
        (["--user", "T:2001L"], "account 2001 belongs to two users"),
        (["--user", "T:7", "--user", "U:7"], "account 7 belongs to two users"),
        (["--user", "T:1,1L"], "a user has account 1 twice"),
        (["--client-id="], "client-id must not be empty"),
        (["--client-secret="], "client-secret must not be empty"),
    ],
)
def test_accounts_that_cannot_be_told_apart_and_empty_credentials(flags: list[str], error: str) -> None:
    """Each is one line that names the account or the flag."""
    options = Options()
    options.parseOptions(flags)
    with pytest.raises(SettingError, match=f"^{error}$"):
        Accounts(options.settings, 0.0)


def test_the_same_account_under_another_first_account(make_broker: Callable[..., Broker]) -> None:
    """Account ids are free where the first user's are moved away."""
    options = Options()
    options.parseOptions(["--account-id", "5000", "--user", "T:1001,1002L"])
    grant = Accounts(options.settings, 0.0).grant("T", 0.0)
    assert list(grant.accounts) == [1001, 1002]
    assert SimulatorSettings().account_id == 1001
