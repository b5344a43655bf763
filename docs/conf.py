"""How the documentation is built: ``make docs`` (html into ``build/docs``, every warning an error).

Nothing of tickrelay is imported: the API reference is read from the sources, so the ``docs`` extra alone builds it.
"""

import configparser
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref

ROOT = Path(__file__).resolve().parent.parent
metadata = configparser.ConfigParser()
metadata.read(ROOT / "setup.cfg", encoding="utf-8")

project = metadata["metadata"]["name"]
release = version = metadata["metadata"]["version"]
extensions = ["autoapi.extension"]
exclude_patterns = ["tutorial/*"]  # files that the tutorial includes

html_theme = "furo"  # unlike the built-in themes it keeps a tree of 150 pages and a phone's screen usable
html_title = f"tickrelay {release}"
html_extra_path = ["asyncapi.json", "../SECURITY.md"]
html_copy_source = False
html_show_copyright = False  # LICENSE has it

# The API reference: a page for each module that there is, so that none is named here. Moving one changes nothing.
autoapi_dirs = [str(ROOT / "tickrelay")]
autoapi_ignore = ["*_pb2.py"]  # written by protoc: no docstrings; proto/ is what people read
autoapi_file_patterns = ["*.py"]  # the .pyi files beside them are protoc's too
autoapi_root = "api"
autoapi_add_toctree_entry = False  # index.rst has it
autoapi_member_order = "bysource"
# Without undocumented members and private ones: ruff's D1 demands a docstring of whatever is public.
autoapi_options = ["members", "undoc-members", "show-inheritance"]

# `name` in a docstring is a link where there is something of that name, and code where there is not.
default_role = "py:obj"

suppress_warnings = [
    "autoapi.python_import_resolution",  # says that modules import the generated ones, which are left out on purpose
]
nitpick_ignore_regex = [
    # Names of other projects (twisted.…, collections.abc.…): linking them needs their inventories from the network,
    # and the build must not depend on it. Short names of ours too; a name in full (tickrelay.…) is always checked.
    (r"py:.*", r"(?!tickrelay\b).*"),
    # What begins with an underscore is not in the reference.
    (r"py:.*", r"tickrelay\.(.*\.)?_.*"),
    # Nor is what protoc wrote.
    (r"py:.*", r"tickrelay\..*_pb2\..*"),
]


PAGE = re.compile(r"(?:docs/)?([\w-]+)\.rst")
OUTSIDE = {"README": "index", "NEWS": "changelog", "CONTRIBUTING": "contributing"}


def link_pages(_: Any, doctree: nodes.document) -> None:
    """Make links of pages that are named by their files (``docs/protocol.rst``).

    So one text serves the site and a code host, which links files, and plain docutils reads it. A page that there is
    not is a warning.
    """
    for node in list(doctree.findall(lambda node: isinstance(node, nodes.literal | nodes.reference))):
        found = PAGE.fullmatch(str(node.get("refuri", "")) if isinstance(node, nodes.reference) else node.astext())
        if found is None:
            continue
        page = OUTSIDE.get(found[1], found[1])
        link = pending_xref("", refdomain="std", reftype="doc", reftarget=f"/{page}", refwarn=True)
        link["refexplicit"] = isinstance(node, nodes.reference)
        link += nodes.inline("", node.astext())
        node.replace_self(link)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", link_pages)
