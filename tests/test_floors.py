"""The rules of the house, read from its sources: floors, no import cycles, true maps, a test module for each module."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tickrelay"

FLOORS = {
    "model": 0, "config": 0,
    "openapi": 1, "wire": 1, "http_site": 1,
    "relay": 2, "admission": 2,
    "upstream": 3, "downstream": 3, "front": 3, "web": 3, "simulator": 3, "recording": 3,
    "tap": 4, "service": 4, "simulator_tap": 4, "metrics": 4, "endpoints": 4,
    "startup": 4, "garbage": 4, "twistd_files": 4, "signals": 4, "reloading": 4, "logs": 4, "cli": 4, "__main__": 4,
}  # fmt: skip
TAPS = {"tap.py", "simulator_tap.py"}


def modules() -> list[Path]:
    """Every module of ours, without what protoc wrote."""
    return [p for p in sorted(PACKAGE.rglob("*.py")) if not p.name.endswith("_pb2.py") and p != PACKAGE / "__init__.py"]


def room(path: Path) -> str:
    """The part of the package that a module lives in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_from_floors_below(path: Path) -> None:
    """No module reaches up, and on the floor of the ends none reaches sideways."""
    here = room(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "tickrelay" or len(parts) == 1:
            continue
        there = parts[1]
        if there == here:
            continue
        sideways = FLOORS[here] == FLOORS[there] and FLOORS[here] in (0, 1, 4)
        assert FLOORS[there] < FLOORS[here] or sideways, f"{here} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_taps_name_the_global_reactor(path: Path) -> None:
    """Below the composition the reactor is an argument."""
    if path.name not in TAPS:
        assert "twisted.internet.reactor" not in set(imports(path))


def test_the_codecs_and_the_logic_know_no_reactor_and_no_clock() -> None:
    """Floors 0 to 2 import no reactor, no socket and no clock."""
    for path in modules():
        if FLOORS[room(path)] <= 2:
            for name in imports(path):
                assert name.split(".")[0] not in {"socket", "time", "asyncio", "threading"}, f"{path} imports {name}"
                assert not name.startswith("twisted.internet"), f"{path} imports {name}"


def test_no_package_init_hides_the_plugin() -> None:
    """An __init__.py in twisted/ or twisted/plugins/ would shadow Twisted's own package."""
    root = PACKAGE.parent / "twisted"
    assert [p.name for p in root.rglob("*.py")] == ["tickrelay_plugin.py"]


def dotted(path: Path) -> str:
    """The dotted name of a module's file; a package's is that of its folder."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def import_graph() -> dict[str, set[str]]:
    """Each module of ours with those that it imports anywhere: in functions and below ``if TYPE_CHECKING`` too.

    ``from package import module`` is an import of the module, not of the package: Python allows it where the package
    imports the module.
    """
    names = {dotted(path) for path in modules()}
    graph: dict[str, set[str]] = {}
    for path in modules():
        found = graph[dotted(path)] = set[str]()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= whole & names if whole <= names else {node.module, *whole & names}
        found &= names - {dotted(path)}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module."""

    def reached_from(start: str) -> set[str]:
        seen, left = set[str](), [start]
        while left:
            for name in graph[left.pop()] - seen:
                seen.add(name)
                left.append(name)
        return seen

    reach = {name: reached_from(name) for name in graph}
    found = {frozenset(other for other in reach[name] if name in reach[other]) for name in graph}
    return [set(component) for component in found if component]


def one_cycle(graph: dict[str, set[str]], among: set[str]) -> str:
    """The modules of a cycle in their order, for people."""
    try:
        graphlib.TopologicalSorter({name: graph[name] & among for name in among}).prepare()
    except graphlib.CycleError as e:
        return " <- ".join(e.args[1])
    raise AssertionError("no cycle")


def test_no_import_cycles() -> None:
    """Neither inside a folder nor across, imports for types alone counted: each part can be read by itself."""
    graph = import_graph()
    found = cycles(graph)
    assert not found, "import cycles:\n" + "\n".join(one_cycle(graph, component) for component in found)


def test_a_cycle_is_found_and_named() -> None:
    """Of any length, apart from what merely leads into it."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "x": {"a", "y"}, "y": set[str]()}
    (component,) = cycles(graph)
    assert component == {"a", "b", "c"}
    assert set(one_cycle(graph, component).split(" <- ")) == component


PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: str(p.relative_to(PACKAGE.parent)))
def test_a_packages_docstring_is_a_map_of_its_modules(package: Path) -> None:
    """Each module and package in the folder is named in it, and no file or folder that is not there."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    files = {path.stem for path in package.glob("*.py") if not path.name.endswith("_pb2.py")}
    there = files - {"__init__", "__main__"} | {path.parent.name for path in package.glob("*/__init__.py")}
    missing = {name for name in there if not re.search(rf"\b{name}\b", text)}
    gone = set(re.findall(r"\b(\w+)(?:\.py\b|/(?=\s|$))", text)) - there
    assert not missing | gone, "modules that the docstring leaves out, or that are gone"


ELSEWHERE = {
    # The contract of a package, tried on all of its modules together.
    "test_startup.py": "model/clock",
    "config/test_settings.py": "config/host_and_port",
    "downstream/test_connection.py": "downstream/context downstream/factory downstream/read_limiter",
    "downstream/test_basic.py": "downstream/session",
    "downstream/test_subscribe_request.py": "downstream/results downstream/unsubscribe_request",
    "recording/test_recorder.py": "recording/segments",
    "relay/test_fanout.py": "relay/cohort relay/outbox relay/subscriber",
    "relay/test_hub.py": "relay/channel model/errors model/feed model/status model/ticks",
    "front/test_connection.py": "front/shared",
    "web/test_pages.py": "http_site",
    "wire/test_encodings.py": "wire/messages wire/parts wire/protobuf wire/requests wire/v1_json wire/v1_protobuf",
    # One request at a time, whichever module answers it.
    "simulator/test_tokens.py": "simulator/answers/authority",
    "simulator/test_reference.py": "simulator/answers/reference simulator/market/assets simulator/market/catalogue",
    "simulator/test_spots.py": "simulator/answers/quotes",
    "simulator/test_trading.py": "simulator/answers/trading",
    "simulator/test_rules.py": "simulator/quota",
    "simulator/test_session.py": "simulator/line simulator/peer simulator/refusal",
    "simulator/test_environment.py": "simulator/settings",
    "simulator/faults/test_sustained.py": "simulator/active_faults",
    "simulator/framing/test_protocol.py": "simulator/framing/factory",
    "simulator/framing/test_protocol_switch.py": "simulator/framing/web_socket",
    "simulator/market/test_market.py": "simulator/market/activity simulator/market/hours simulator/market/instruments "
    "simulator/market/market_setup simulator/market/source model/quotes",
    "simulator/market/test_history.py": "simulator/market/backfill simulator/answers/charts",
    # The session as a whole, against the simulator.
    "upstream/test_check.py": "cli/check",
    "upstream/test_refusals.py": "upstream/errors upstream/authorization",
    "upstream/test_session.py": "upstream/connection upstream/service upstream/status_reporter upstream/timers",
    "upstream/test_floods.py": "upstream/flood_guard",
    "upstream/test_protocol.py": "upstream/allow_list upstream/counters upstream/requests",
    # Only processes of their own run these.
    "integration/test_end_to_end.py": "downstream/service",
}
"""Test modules (below tests/) whose subject is larger than a module -> the modules that they test besides their own."""


def test_every_module_has_a_test_module() -> None:
    """Of its name at the mirrored path, or a row of the table says where else."""
    tests = Path(__file__).parent
    elsewhere = {module: test for test, names in ELSEWHERE.items() for module in names.split()}
    for path in modules():
        module = str(path.relative_to(PACKAGE).with_suffix(""))
        if path.stem not in ("__init__", "__main__"):
            mirrored = path.relative_to(PACKAGE).parent / f"test_{path.name}"
            has_one = (tests / mirrored).exists()
            assert has_one != (module in elsewhere), f"{module}: tests/{mirrored}, or a row of ELSEWHERE"
            assert (tests / elsewhere.pop(module, "conftest.py")).exists(), module
    assert not elsewhere, "modules that are gone"
