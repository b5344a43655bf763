"""Settings: where each comes from, and what is said when one is missing or malformed."""

from pathlib import Path
from typing import Any

import pytest

from tickrelay import config
from tickrelay.config import Config
from tickrelay.errors import SettingError
from tickrelay.setting import Places, Secret

ACCOUNT = {
    "CTRADER_CLIENT_ID": "id",
    "CTRADER_CLIENT_SECRET": "canary-secret",
    "CTRADER_ACCESS_TOKEN": "canary-token",
    "CTRADER_ACCOUNT_ID": "1001",
}


def load(environ: dict[str, str] | None = None, dotenv: dict[str, str] | None = None, **flags: str) -> Config:
    """The Config of these places, with the account in the environment."""
    named: dict[str, str | None] = {name.replace("_", "-"): value for name, value in flags.items()}
    return config.load(Places(named, {**ACCOUNT, **(environ or {})}, dict(dotenv or {})))


def test_defaults() -> None:
    """Without more than the account: the demo host, port 8080 on every interface."""
    settings = load()
    assert (settings.ctrader.host, settings.ctrader.port) == ("demo.ctraderapi.com", 5035)
    assert settings.clients.listen == "tcp:8080:backlog=1024"
    assert settings.ctrader.account_id == 1001


@pytest.mark.parametrize("name", ACCOUNT)
def test_a_missing_setting_is_named(name: str) -> None:
    """The error says which setting is missing and where it can be set."""
    places = Places({}, {k: v for k, v in ACCOUNT.items() if k != name}, {})
    with pytest.raises(SettingError, match=f"^{name} is not set: .*{name}_FILE.*--simulate"):
        config.load(places)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"CTRADER_ACCOUNT_ID": "abc"}, "CTRADER_ACCOUNT_ID must be a whole number .*'abc'"),
        ({"CTRADER_ACCOUNT_ID": "0"}, "CTRADER_ACCOUNT_ID must be"),
        ({"CTRADER_ACCOUNT_ID": "١٢"}, "CTRADER_ACCOUNT_ID must be"),
        ({"CTRADER_HOST": "https://demo.ctraderapi.com"}, "CTRADER_HOST must be a host name without scheme"),
        ({"CTRADER_PORT": "70000"}, "CTRADER_PORT must be a whole number from 1 to 65535"),
        ({"PORT": "http"}, "PORT must be"),
        ({"WS_PORT": "-1"}, "WS_PORT must be"),
        ({"TICKRELAY_HEARTBEAT": "nan"}, "TICKRELAY_HEARTBEAT must be a number from 1 to 25"),
        ({"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": "/nowhere"}, "CTRADER_CLIENT_SECRET_FILE: cannot"),
    ],
)
def test_a_malformed_setting_is_named(environ: dict[str, str], said: str) -> None:
    """The error names the setting, what it must be and what it is."""
    with pytest.raises(SettingError, match=said):
        load(environ)


def test_an_empty_secret_file_says_no_secret(tmp_path: Path) -> None:
    """A bad secret is never quoted."""
    (tmp_path / "s").write_text("\n")
    with pytest.raises(SettingError) as raised:
        load({"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": str(tmp_path / "s")})
    assert "must be not empty" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_secret_files(tmp_path: Path) -> None:
    """NAME_FILE holds the value; white space around it does not count."""
    (tmp_path / "s").write_text(" from-file \n")
    settings = load({"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": str(tmp_path / "s")})
    assert settings.ctrader.client_secret.reveal() == "from-file"
    assert settings.sources["client_secret"] == "CTRADER_CLIENT_SECRET_FILE"


def test_the_strongest_place_wins() -> None:
    """A flag over the environment, the environment over .env."""
    assert load({"CTRADER_HOST": "env"}, {"CTRADER_HOST": "file"}, ctrader_host="flag").ctrader.host == "flag"
    assert load({"CTRADER_HOST": "env"}, {"CTRADER_HOST": "file"}).ctrader.host == "env"
    assert load({}, {"CTRADER_HOST": "file"}).ctrader.host == "file"


@pytest.mark.parametrize(
    ("environ", "dotenv", "ctrader", "listen"),
    [
        ({}, {"HOST": "live.example", "PORT": "5135"}, ("live.example", 5135), "tcp:8080"),
        ({"PORT": "9000"}, {}, ("demo.ctraderapi.com", 5035), "tcp:9000"),
        ({"PORT": "9000"}, {"HOST": "live.example", "PORT": "5135"}, ("live.example", 5135), "tcp:9000"),
        ({"HOST": "0.0.0.0"}, {}, ("demo.ctraderapi.com", 5035), "tcp:8080"),
        ({"WS_PORT": "9001"}, {}, ("demo.ctraderapi.com", 5035), "tcp:9001"),
        ({"WS_PORT": "9001", "PORT": "9000"}, {}, ("demo.ctraderapi.com", 5035), "tcp:9000"),
        ({}, {"WS_PORT": "9002"}, ("demo.ctraderapi.com", 5035), "tcp:9002"),
        ({"CTRADER_HOST": "a", "CTRADER_PORT": "1"}, {"HOST": "b", "PORT": "2"}, ("a", 1), "tcp:8080"),
    ],
)
def test_host_and_port_by_their_rule(
    environ: dict[str, str], dotenv: dict[str, str], ctrader: tuple[str, int], listen: str
) -> None:
    """In .env they are cTrader's; in the process environment PORT is the WebSocket listener's."""
    settings = load(environ, dotenv)
    assert (settings.ctrader.host, settings.ctrader.port) == ctrader
    assert settings.clients.listen.removesuffix(":backlog=1024") == listen


def test_secrets_do_not_print() -> None:
    """Neither the Config nor a Secret shows a secret, however it is printed."""
    settings = load()
    for text in (repr(settings), str(settings), f"{settings.ctrader.client_secret}", f"{settings.ctrader!r}"):
        assert "canary" not in text
    assert Secret("a") == Secret("a") != Secret("b")


def test_every_setting_has_one_name_and_one_flag() -> None:
    """No two settings share an environment name or a flag, and none of the secrets has a flag."""
    fields: list[Any] = list(config.settings())
    for key in ("env", "flag"):
        names = [f.metadata[key] for f in fields if f.metadata[key]]
        assert len(names) == len(set(names))
    assert not [f.name for f in fields if "Secret" in str(f.type) and f.metadata["flag"]]
