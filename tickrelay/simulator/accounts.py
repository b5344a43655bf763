"""The application's credentials, grants and trading accounts: checks them and renews tokens.

A grant is one user's consent: an access token that expires, and a refresh token that does not but is good for one use;
both change at each renewal (Open API documentation, and seen on the live server).
"""

import random
from dataclasses import dataclass, field

from tickrelay.model.errors import SettingError
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.settings import AccountSettings, SimulatorSettings, UserSettings


@dataclass(slots=True)
class Grant:
    """What one access token gives access to."""

    access_token: str
    refresh_token: str
    scope: str
    accounts: dict[int, AccountSettings]
    expires_s: float
    """Unix seconds."""
    user_id: int


@dataclass(slots=True)
class Accounts:
    """The application, grants and accounts of a simulated broker that starts at *now_s* (Unix seconds).

    Raises SettingError for empty credentials and for an account that two users have, or one has twice.
    """

    settings: SimulatorSettings
    now_s: float
    _grants: dict[str, Grant] = field(default_factory=dict)
    _by_refresh: dict[str, Grant] = field(default_factory=dict)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        _check(self.settings)
        self._rng = random.Random(f"{self.settings.seed}/tokens")
        for number, user in enumerate(self.settings.grants()):
            self._add(user, number + 1)

    def _add(self, user: UserSettings, user_id: int) -> None:
        life_s = -1 if user.expired else self.settings.rules.token_life_s
        grant = Grant(
            user.access_token,
            user.refresh_token,
            user.scope,
            {account.account_id: account for account in user.accounts},
            self.now_s + life_s,
            user_id,
        )
        self._grants[grant.access_token] = grant
        if grant.refresh_token:
            self._by_refresh[grant.refresh_token] = grant

    def authenticate(self, client_id: str, client_secret: str) -> None:
        """Check an application. Raises RequestRefused, after which the live server closes the connection."""
        if (client_id, client_secret) != (self.settings.client_id, self.settings.client_secret):
            raise RequestRefused("CH_CLIENT_AUTH_FAILURE", "clientId or clientSecret is incorrect", close=True)

    def grant(self, access_token: str, now_s: float) -> Grant:
        """The grant behind a token. Raises RequestRefused where there is none, or it has ended."""
        grant = self._grants.get(access_token)
        if grant is None:
            raise RequestRefused("CH_ACCESS_TOKEN_INVALID", "Invalid access token")
        if now_s >= grant.expires_s:
            raise RequestRefused("CH_ACCESS_TOKEN_INVALID", "Access token expired")
        return grant

    def expire(self) -> None:
        """End every access token now; refresh tokens stay good."""
        for grant in self._grants.values():
            grant.expires_s = 0.0

    def account(self, grant: Grant, account_id: int) -> AccountSettings:
        """The account, where the grant has it and this host serves it. Raises RequestRefused."""
        account = grant.accounts.get(account_id)
        if account is None:
            raise RequestRefused(
                "CH_CTID_TRADER_ACCOUNT_NOT_FOUND", "Trading account is not found", account_id=account_id
            )
        if account.live != self.settings.is_live:
            raise RequestRefused("CANT_ROUTE_REQUEST", "Can't route request", account_id=account_id)
        return account

    def renew(self, refresh_token: str, now_s: float) -> Grant:
        """Renew a grant in place: both tokens change, the old ones are void at once. Raises RequestRefused."""
        grant = self._by_refresh.pop(refresh_token, None)
        if grant is None:
            raise RequestRefused("CH_ACCESS_TOKEN_INVALID", "Invalid refresh token")
        del self._grants[grant.access_token]
        grant.access_token = f"sim-{self._rng.getrandbits(160):040x}"
        grant.refresh_token = f"sim-{self._rng.getrandbits(160):040x}"
        grant.expires_s = now_s + self.settings.rules.token_life_s
        self._grants[grant.access_token] = grant
        self._by_refresh[grant.refresh_token] = grant
        return grant


def _check(settings: SimulatorSettings) -> None:
    """Raise SettingError for what each single setting allows, but all together do not."""
    for name, value in (("client-id", settings.client_id), ("client-secret", settings.client_secret)):
        if not value:
            raise SettingError(f"{name} must not be empty")
    taken: set[int] = set()
    for user in settings.grants():
        own: set[int] = set()
        for account in user.accounts:
            # Demo and live accounts share one space of ids: requests name an account by its id alone.
            if account.account_id in own:
                raise SettingError(f"a user has account {account.account_id} twice")
            own.add(account.account_id)
        if both := own & taken:
            raise SettingError(f"account {min(both)} belongs to two users")
        taken |= own
