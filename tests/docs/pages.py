"""The pages of the documentation, and what stands in them: code blocks, and names between double backquotes."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree

ROOT = Path(__file__).parent.parent.parent
SITE = {"docs/index.rst", "docs/changelog.rst", "docs/contributing.rst"}
"""Sphinx's own: the contents, and pages that only include another."""
PAGES = tuple(
    sorted(
        str(path.relative_to(ROOT))
        for folder in (".", "docs", "benchmarks", "proto", "tests/vectors")
        for path in (ROOT / folder).glob("*.rst")
        if str(path.relative_to(ROOT)) not in SITE
    )
)


@dataclass(frozen=True, slots=True)
class Block:
    """A literal block of a page."""

    page: str
    language: str
    """The argument of ``code-block``; empty for a block after ``::``."""
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, without remarks at their ends."""
        lines = (line.partition("  #")[0].strip() for line in self.text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


@cache
def document(page: str) -> nodes.document:
    """The parsed page. Raises docutils' SystemMessage where it is no valid reStructuredText."""
    settings = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none", "input_encoding": "utf-8"}
    return publish_doctree((ROOT / page).read_text(encoding="utf-8"), source_path=page, settings_overrides=settings)


def blocks(page: str) -> list[Block]:
    """The literal blocks of a page, in their order."""
    found = document(page).findall(nodes.literal_block)
    return [
        Block(page, " ".join(word for word in node["classes"] if word != "code"), node.astext() + "\n")
        for node in found
    ]


def block(page: str, beginning: str) -> Block:
    """The one block of a page with this beginning."""
    (found,) = [block for block in blocks(page) if block.text.startswith(beginning)]
    return found


def names(page: str) -> list[str]:
    """The texts between double backquotes."""
    return [node.astext().replace("\n", " ") for node in document(page).findall(nodes.literal)]
