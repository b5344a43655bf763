"""A module imports only from floors below its own, and the ends never import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tickrelay"

FLOORS = {
    "model": 0, "config": 0,
    "openapi": 1, "wire": 1, "http_site": 1,
    "relay": 2,
    "upstream": 3, "downstream": 3, "web": 3, "simulator": 3, "recording": 3,
    "tap": 4, "service": 4, "simulator_tap": 4, "metrics": 4, "endpoints": 4,
    "startup": 4, "twistd_files": 4, "cli": 4, "__main__": 4,
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
