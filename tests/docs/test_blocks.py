"""Every code block of the documentation, and what runs it.

A page that shows a new block fails here until the block has its row. Blocks that run as processes of their own are in
`test_commands` and `test_started_first`.
"""

import base64
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.docs.pages import PAGES, ROOT, block, blocks, document
from tests.docs.running import needed
from tickrelay.openapi.frames import open_envelope, open_payload
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent
from tickrelay.recording import format
from tickrelay.simulator.faults.script import parse
from tickrelay.simulator.settings import SimulatorSettings
from tickrelay.simulator_tap import Options

FIRST = "test_started_first.py"
COMMANDS = "test_commands.py"
HERE = "test_blocks.py"
DRAWING = "not run: a drawing"

TUTORIAL = "../integration/test_tutorial.py"

BLOCKS = {
    "CONTRIBUTING.rst": [("4  composition", DRAWING)],
    "README.rst": [
        ("make run", f"{COMMANDS}::test_make_run"),
        (".venv/bin/pip install websockets", f"{FIRST}::test_the_interactive_client"),
        ('{"type":"connect"}', f"{FIRST}::test_the_interactive_client"),
        ("make test", "not run: it runs these tests"),
        ("cTrader Open API", DRAWING),
        (".venv/bin/twistd", f"{COMMANDS}::test_the_relay_with_an_account"),
        ("<pre", f"{FIRST}::test_started_before_the_relay"),
        ("import json", f"{FIRST}::test_started_before_the_relay"),
    ],
    "benchmarks/README.rst": [("python -m benchmarks.run", f"{HERE}::test_commands_of_the_benchmarks")],
    "docs/architecture.rst": [("4  composition", DRAWING), ("dataReceived", DRAWING)],
    "docs/capture.rst": [
        ("20251123T121320", f"{HERE}::test_names_of_segments"),
        ('{"format"', f"{HERE}::test_lines_of_a_recording"),
        ('{"t"', f"{HERE}::test_lines_of_a_recording"),
        ("zcat -f DIR/*.jsonl* | jq -r 'select(.symbolId", f"{COMMANDS}::test_reading_a_recording"),
        ("zcat -f DIR/*.jsonl* | jq -r .type", f"{COMMANDS}::test_reading_a_recording"),
        ("zcat -f DIR/*.jsonl* | jq -r 'select(.type", f"{COMMANDS}::test_reading_a_recording"),
    ],
    "docs/howto.rst": [
        ("token=", f"{FIRST}::test_with_a_token"),
        ("TICKRELAY_TOKENS_FILE", f"{COMMANDS}::test_tokens_of_the_simulated_relay"),
        ("sed -i", f"{FIRST}::test_with_a_token"),
        ("<pre", f"{FIRST}::test_with_a_token"),
        ("import json", f"{FIRST}::test_with_a_token"),
        ("map $http_upgrade", f"{COMMANDS}::test_behind_nginx"),
        ("twistd --nodaemon --pidfile= tickrelay --listen", f"{COMMANDS}::test_behind_nginx"),
        ("twistd --nodaemon --pidfile= ctrader-simulator", f"{COMMANDS}::test_faults_with_the_relay"),
        ("export CTRADER_HOST", f"{COMMANDS}::test_faults_with_the_relay"),
        ("curl -d 'drop'", f"{COMMANDS}::test_faults_with_the_relay"),
    ],
    "docs/operations.rst": [("twistd --nodaemon --pidfile= tickrelay", f"{COMMANDS}::test_the_relay_with_an_account")],
    "docs/protocol.rst": [
        ("{", "../test_protocol_docs.py::test_every_example_is_a_vector"),  # and each vector fits docs/asyncapi.json
        ("const position", f"{HERE}::test_functions_of_the_protocol"),
        ("function connect(url, token)", f"{HERE}::test_functions_of_the_protocol"),
        ("seq == previous seq", "not run: the rule that tests/checker.py holds every tick against"),
    ],
    "docs/simulator.rst": [
        ("pip install .", f"{COMMANDS}::test_the_simulator_alone"),
        ("from ctrader_open_api", f"{HERE}::test_foreign_clients_connect_as_shown"),
        ("const connection", f"{HERE}::test_foreign_clients_connect_as_shown"),
        ("openssl s_client", f"{COMMANDS}::test_the_simulator_alone"),
        ("port = 6035", f"{HERE}::test_the_simulator_settings"),
        ("at 30s: drop;", f"{HERE}::test_the_fault_script"),
        ("curl -d 'silent-ticks", f"{COMMANDS}::test_the_control_endpoint"),
        ("from twisted.internet.task", f"{HERE}::test_the_simulator_in_python"),
    ],
    "docs/tutorial.rst": [
        ("git clone", f"{COMMANDS}::test_make_run"),
        ("clients connect to", f"{COMMANDS}::test_make_run"),
        (".venv/bin/pip install websockets", f"{FIRST}::test_the_interactive_client"),
        ('{"type":"connect"}', f"{FIRST}::test_the_interactive_client"),
        ("<!doctype html>", "not run: a page; that of the how-tos is"),
        (".venv/bin/twistd --nodaemon --pidfile= ctrader-simulator", f"{COMMANDS}::test_faults_with_the_relay"),
        ("export CTRADER_HOST", f"{COMMANDS}::test_faults_with_the_relay"),
        ("curl -d 'drop'", f"{COMMANDS}::test_faults_with_the_relay"),
        ("curl -d 'burst 100", f"{COMMANDS}::test_faults_with_the_relay"),
        ('"""Lose the connection', f"{TUTORIAL}::test_the_program_that_comes_back_loses_nothing"),
        (".venv/bin/python docs/tutorial/resume.py", f"{TUTORIAL}::test_the_program_that_comes_back_loses_nothing"),
        ("subscribed:", f"{TUTORIAL}::test_the_program_that_comes_back_loses_nothing"),
        ("token=", f"{FIRST}::test_with_a_token"),
        ("curl http://127.0.0.1:9090/readyz", "not run: tests/web/test_pages.py has the pages for operators"),
    ],
}
"""Of each page the beginnings of its blocks, and the test that runs the block or why none does. Blocks that begin alike
may share a row.
"""


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_its_row(page: str) -> None:
    """And every row its block; the page is valid reStructuredText."""
    document(page)
    rows = BLOCKS.get(page, [])
    used = set()
    for shown in blocks(page):
        found = [beginning for beginning, _ in rows if shown.text.startswith(beginning)]
        assert found, f"{page}: no row for the block {shown.text[:70]!r}"
        used.add(max(found, key=len))
    assert used == {beginning for beginning, _ in rows}


def test_every_row_names_a_test() -> None:
    """One that there is, or a reason."""
    for _, how in (row for rows in BLOCKS.values() for row in rows):
        if not how.startswith("not run: "):
            file, _, name = how.partition("::")
            assert f"\ndef {name}(" in (Path(__file__).parent / file).read_text(encoding="utf-8"), how


def test_names_of_segments() -> None:
    """Times in UTC, so that names sort."""
    shown = block("docs/capture.rst", "2025").text.split()
    assert shown == sorted(shown)
    assert all(re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z\.jsonl(\.gz)?", name) for name in shown)


def test_lines_of_a_recording() -> None:
    """The header and the frame that are shown are read as such."""
    header, line = (block("docs/capture.rst", beginning).text.encode() for beginning in ('{"format"', '{"t"'))
    assert format.read_header(header) == json.loads(header)["started"]
    frame = format.read_record(line).frame
    assert frame is not None
    event = open_payload(open_envelope(frame))
    assert isinstance(event, ProtoOASpotEvent)
    shown = json.loads(line)
    assert (event.symbolId, event.bid, event.ask) == (shown["symbolId"], shown["bid"], shown["ask"])


def test_functions_of_the_protocol() -> None:
    """The position after a result; the offers by which a page shows its token."""
    page, token = "docs/protocol.rst", "tökén?>"
    shown = block(page, "const position").text + block(page, "function connect").text
    program = f"""
    {shown}
    globalThis.WebSocket = class {{ constructor(url, offers) {{ this.offers = offers; }} }};
    const results = [{{epoch: "e1", seq: 5, fromSeq: 3}}, {{epoch: "e1", seq: 5}}];
    console.log(JSON.stringify([...results.map(position), connect("ws://relay/", {json.dumps(token)}).offers]));
    """
    done = subprocess.run([needed("node"), "-e", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    replayed, live, offers = json.loads(done.stdout)
    assert (replayed, live) == ({"epoch": "e1", "seq": 2}, {"epoch": "e1", "seq": 5})
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    assert offers == ["tickrelay.v1.json", f"tickrelay.auth.{encoded}"]


def test_foreign_clients_connect_as_shown() -> None:
    """With the lines that ``tests/integration/test_foreign_clients.py`` runs."""
    for beginning, name, port in (
        ("from ctrader_open_api", "python_client.py", "PORT"),
        ("const connection", "node_client.js", "port"),
    ):
        text = (ROOT / "tests" / "integration" / "foreign" / name).read_text(encoding="utf-8")
        for line in block("docs/simulator.rst", beginning).text.splitlines():
            shown = line.replace("port: 5035", "port").replace("5035", port).rstrip(");")
            assert shown in text, line


def test_the_simulator_settings(tmp_path: Path) -> None:
    """The file is taken, and says what it seems to."""
    text = block("docs/simulator.rst", "port = 6035").text
    path = tmp_path / "simulator.toml"
    path.write_text(text, encoding="utf-8")
    options = Options()
    options.parseOptions(["--config", str(path)])
    settings, told = options.settings, tomllib.loads(text)
    assert (settings.port, settings.seed, settings.symbols) == (told["port"], told["seed"], tuple(told["symbols"]))
    assert settings.rules.idle_s == told["rules"]["idle_s"]
    assert [user.access_token for user in settings.users] == ["second"]
    assert isinstance(settings, SimulatorSettings)


def test_the_fault_script() -> None:
    """Three statements, with their times in seconds."""
    statements = parse(block("docs/simulator.rst", "at 30s").text)
    assert [(s.fault, s.at_s, s.every_s, s.for_s) for s in statements] == [
        ("drop", 30, 0, 0),
        ("hang", 60, 0, 20),
        ("reset", 300, 300, 0),
    ]


def test_the_simulator_in_python() -> None:
    """The program runs, and its fault comes when its clock is moved."""
    scope: dict[str, object] = {}
    exec(compile(block("docs/simulator.rst", "from twisted").text, "docs/simulator.rst", "exec"), scope)
    clock, server = scope["clock"], scope["server"]
    assert isinstance(clock, Clock)
    transport = server.transport  # type: ignore[attr-defined]
    assert isinstance(transport, StringTransport)
    clock.advance(29)
    assert not transport.disconnecting
    clock.advance(2)
    assert transport.disconnecting


def test_commands_of_the_benchmarks() -> None:
    """They take minutes, so they are not run here: each module exists and has the flags."""
    for command in block("benchmarks/README.rst", "python").commands:
        module, *flags = re.findall(r"benchmarks\.\w+|--\w+", command)
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert all(f'"{flag}"' in source for flag in flags), command
