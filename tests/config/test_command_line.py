"""The text of --help, of both programs."""

import re

import pytest

from tickrelay import simulator_tap, tap
from tickrelay.config import settings
from tickrelay.config.schema import settings_of
from tickrelay.simulator.settings import SimulatorSettings

PROGRAMS = {"tickrelay": tap.Options, "ctrader-simulator": simulator_tap.Options}


def lines(program: str) -> list[str]:
    """What --help prints."""
    return str(PROGRAMS[program]()).splitlines()


def groups(program: str) -> dict[str, list[str]]:
    """The options under each heading."""
    found: dict[str, list[str]] = {}
    for line in lines(program):
        if heading := re.fullmatch(r"(\w+):", line):
            found[heading[1]] = []
        elif option := re.match(r"  --([\w-]+)", line):
            list(found.values())[-1].append(option[1])
    return found


def text(program: str, option: str) -> str:
    """The help of one option, in one line."""
    joined = re.sub(r"\n {3,}", " ", "\n".join(lines(program)))
    found = re.search(rf"^  --{option}=? +(.*)$", joined, re.MULTILINE)
    assert found is not None, option
    return " ".join(found[1].split())


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_fits_a_terminal(program: str) -> None:
    """80 columns, and nothing but blanks between the words."""
    assert max(map(len, lines(program))) <= 80
    assert "\N{NO-BREAK SPACE}" not in "".join(lines(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_any_terminal_can_show_it(program: str) -> None:
    """Without a character that a terminal or a pipe of another encoding would end in a traceback."""
    assert "".join(lines(program)).isascii()


@pytest.mark.parametrize("program", PROGRAMS)
def test_names_keep_their_spelling(program: str) -> None:
    """Not as str.capitalize would have it."""
    shown = "\n".join(lines(program))
    assert not re.findall(r"Ctrader|CTrader|\bPem\b|\bToml\b|\bTcp\b|Sha-256|\bctidtrader", shown)
    assert "PEM file" in shown


@pytest.mark.parametrize(
    ("program", "some"),
    [
        (
            "tickrelay",
            {
                "cTrader": {"ctrader-host", "token-file"},
                "clients": {"listen", "tokens-file"},
                "relay": {"flush-window"},
                "operators": {"admin", "check", "record", "env-file"},
                "simulator": {"simulate", "simulate-rate"},
                "other": {"help", "version"},
            },
        ),
        (
            "ctrader-simulator",
            {
                "listening": {"host", "json-port", "ca-file"},
                "market": {"seed", "replay"},
                "accounts": {"user", "scope"},
                "faults": {"fault", "faults", "rule", "control"},
                "other": {"config", "help", "version"},
            },
        ),
    ],
)
def test_options_are_grouped_by_purpose(program: str, some: dict[str, set[str]]) -> None:
    """Each option once, in the group where someone looks for it."""
    found = groups(program)
    assert list(found) == list(some)
    assert {purpose: names - set(found[purpose]) for purpose, names in some.items()} == {p: set() for p in some}
    shown = [name for names in found.values() for name in names]
    assert sorted(shown) == sorted(option.rstrip("=") for option in PROGRAMS[program]().longOpt)


def test_defaults_units_and_names() -> None:
    """What holds where an option is not given, and how else it can be set."""
    for s in settings.settings():
        if s.flag:
            shown = text("tickrelay", s.flag)
            assert s.env in shown
            assert s.default_text == "none" or f"default {s.default_text}" in shown
    assert "[default 10 s, TICKRELAY_HEARTBEAT]" in text("tickrelay", "heartbeat")
    for s in settings_of(SimulatorSettings):
        if s.flag and s.default_text != "none":
            assert f"[default {s.default_text}]" in text("ctrader-simulator", s.flag)


def test_what_has_no_flag_is_named() -> None:
    """Secrets are set elsewhere, and --help says where."""
    introduction = " ".join("\n".join(lines("tickrelay")).split("\n\n")[1].split())
    assert [s.env for s in settings.settings() if not s.flag and s.env not in introduction] == []
    assert "NAME_FILE" in introduction


def test_the_tokens_file_is_said_to_be_read_again() -> None:
    """No restart is needed to change tokens."""
    assert "re-read when it changes" in text("tickrelay", "tokens-file")


def test_every_setting_is_described_alike() -> None:
    """A phrase: neither a capital (but of a name) nor a full stop."""
    names = ("PEM", "Twisted", "SHA")
    for s in [*settings.settings(), *(s for s in settings_of(SimulatorSettings) if s.flag)]:
        assert s.about and not s.about.endswith("."), s.name
        assert s.about[0].islower() or s.about.startswith(names), s.name


@pytest.mark.parametrize("rate", ["x", "0", "nan", "9" * 5000], ids=["word", "zero", "nan", "long"])
def test_the_rate_of_the_simulated_market_is_checked(rate: str) -> None:
    """By the simulator's own bounds, under the name of the relay's option."""
    with pytest.raises(SystemExit) as caught:
        tap.Options().parseOptions(["--env-file", "/dev/null", "--simulate", "--simulate-rate", rate])
    line = str(caught.value.code)
    assert line.startswith("tickrelay: --simulate-rate must be a number over 0, at most 100000, not ")
    assert len(line) < 160
